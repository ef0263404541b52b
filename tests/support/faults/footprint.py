"""What a process takes at rest: sockets, threads, tasks, memory."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.support.faults.breakable_system import BreakableSystem
from tests.support.faults.node import Node
from tests.support.processes import open_sockets, socket_table

# What is made as it is needed and kept: Redis's pool, with the connections for heartbeats, blocking reads and pub/sub
# beside it, and the event loop's threads.
_MOST_TO_REDIS = 64 + 4
_MOST_THREADS = min(32, (os.cpu_count() or 1) + 4)
_GROWN = 1.1
MEGABYTE = 2**20


@dataclass(frozen=True)
class Footprint:
    """`to_redis` are the sockets to Redis, kept in a pool for the next crowd; `sockets` are all others.

    A pooled socket that Redis has reset is in no table any more; it is replaced when it is wanted next.
    """

    sockets: int
    to_redis: int
    threads: int
    tasks: int
    memory: int

    def __str__(self) -> str:
        memory = f"{self.memory / MEGABYTE:.1f}MB"
        return (
            f"{self.sockets} sockets + {self.to_redis} to Redis, {self.threads} threads, {self.tasks} tasks, {memory}"
        )

    def grown(self, before: "Footprint") -> list[str]:
        """What isn't what it was before, is beyond its bound, or takes a tenth more memory."""
        names = [name for name in ("sockets", "tasks") if getattr(self, name) != getattr(before, name)]
        names += ["sockets to Redis"] if self.to_redis > _MOST_TO_REDIS else []
        names += ["threads"] if self.threads > before.threads + _MOST_THREADS else []
        return names + (["memory"] if self.memory > _GROWN * before.memory else [])


def footprint(system: BreakableSystem, node: Node) -> Footprint:
    """Taken now."""
    ports = tuple(f":{port:04X}" for port in system.redis_ports(node.name))
    held = open_sockets(node.pid)
    rows = socket_table(node.pid, "tcp")
    listed = {row[9] for row in rows} | {row[9] for row in socket_table(node.pid, "tcp6")}
    listed |= {row[6] for row in socket_table(node.pid, "unix")}
    to_redis = held & {row[9] for row in rows if row[2].endswith(ports)} | held - listed
    threads = len(list(Path(f"/proc/{node.pid}/task").iterdir()))
    # Last, since asking for it takes a socket.
    tasks = int(system.gauges(node)["bing_asyncio_tasks"])
    return Footprint(len(held - to_redis), len(to_redis), threads, tasks, node.memory)
