"""Somebody who breaks things at random: one fault after the other, each made good before the next."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

from tests.support.faults.breakable_system import LEASE_TTL, BreakableSystem
from tests.support.faults.checker import Violation
from tests.support.faults.node import Node

Fault = Callable[[], Awaitable[None]]


class FaultInjector(ABC):
    """Breaks a system; `faults` are the names of what was done.

    The first gateway and the first worker are never ended, so that they can be compared before and after.
    """

    def __init__(self, system: BreakableSystem, chance: random.Random) -> None:
        self._system = system
        self._chance = chance
        self.faults: list[str] = []
        self.crashes: list[Violation] = []

    async def run(self, seconds: float) -> None:
        """Break things for so long, then make all whole."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            fault = self._chance.choice([*self._of_processes, *self._of_servers])
            self.faults.append(fault.__name__.strip("_"))
            await fault()
            self._note_crashes()
            await asyncio.sleep(self._chance.uniform(0.3, 1.5))
        await asyncio.to_thread(self._make_whole)

    @property
    def _of_processes(self) -> Sequence[Fault]:
        return [
            self._kill_worker,
            self._freeze_worker,
            self._drain_worker,
            self._kill_gateway,
            self._freeze_gateway,
            self._drain_gateway,
            self._slow_creates,
        ]

    @property
    @abstractmethod
    def _of_servers(self) -> Sequence[Fault]:
        """Faults of Redis and of the lines to it."""

    def _note_crashes(self) -> None:
        """A process that ended by itself is wrong; the others go on with a new one."""
        for node in self._system.nodes:
            if node.crashed:
                self.crashes.append(Violation("crashed", f"{node.name} after {self.faults[-1]}, see {node.log}"))
                node.start()

    def _make_whole(self) -> None:
        for node in self._system.nodes:
            node.thaw()
        self._system.restore_redis()
        self._system.start()

    def _worker(self) -> Node:
        return self._chance.choice(self._system.workers[1:])

    def _gateway(self) -> Node:
        return self._chance.choice(self._system.gateways[1:])

    async def _kill_worker(self) -> None:
        self._kill(self._worker())

    async def _kill_gateway(self) -> None:
        self._kill(self._gateway())

    def _kill(self, node: Node) -> None:
        node.kill()
        node.start()

    async def _freeze_worker(self) -> None:
        await self._freeze(self._chance.choice(self._system.workers))

    async def _freeze_gateway(self) -> None:
        await self._freeze(self._chance.choice(self._system.gateways))

    async def _freeze(self, node: Node) -> None:
        node.freeze()
        await asyncio.sleep(self._chance.choice([LEASE_TTL / 2, LEASE_TTL + 2]))
        node.thaw()

    async def _drain_worker(self) -> None:
        await self._drain(self._worker())

    async def _drain_gateway(self) -> None:
        await self._drain(self._gateway())

    async def _drain(self, node: Node) -> None:
        if node.running:
            node.terminate()
            await asyncio.to_thread(node.end)
        node.start()

    async def _slow_creates(self) -> None:
        await asyncio.to_thread(self._system.script, account="*", create={"outcome": "slow=2", "times": 5})
