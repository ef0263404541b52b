"""Somebody who breaks things at random: one fault after the other, each made good before the next."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.support.conditions import until
from tests.support.faults.breakable_system import LEASE_TTL
from tests.support.faults.checker import Violation
from tests.support.faults.cluster import Cluster
from tests.support.faults.node import Node

# What a reply that is lost or cut in two belongs to, or holds.
LOST = [b'"running":{', b"sent:", b'"delta"', b"finish:", b'"chat"', b'"image"']
HALVED = [b'"waited":', b"\r\nsent\r\n", b"\r\nidle\r\n", b"accepted", b'"delta"', b'"final"']


class FaultInjector:
    """Breaks a cluster; `faults` are the names of what was done.

    The first gateway and the first worker are never ended, so that they can be compared before and after.
    """

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        self._cluster = cluster
        self._chance = chance
        self.faults: list[str] = []
        self.crashes: list[Violation] = []

    async def run(self, seconds: float) -> None:
        """Break things for so long, then make all whole."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            fault = self._chance.choice(self._all)
            self.faults.append(fault.__name__.strip("_"))
            await fault()
            self._note_crashes()
            await asyncio.sleep(self._chance.uniform(0.3, 1.5))
        await asyncio.to_thread(self._make_whole)

    @property
    def _all(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self._kill_worker,
            self._freeze_worker,
            self._drain_worker,
            self._kill_gateway,
            self._freeze_gateway,
            self._drain_gateway,
            self._kill_connections,
            self._fall_behind,
            self._pause_redis,
            self._pause_writes,
            self._restart_redis,
            self._fill_redis,
            self._disturb_connections,
            self._lose_replies,
            self._halve_replies,
            self._slow_creates,
            self._spoil_upstream,
        ]

    def _note_crashes(self) -> None:
        """A process that ended by itself is wrong; the others go on with a new one."""
        for node in self._cluster.nodes:
            if node.crashed:
                self.crashes.append(Violation("crashed", f"{node.name} after {self.faults[-1]}, see {node.log}"))
                node.start()

    def _make_whole(self) -> None:
        for node in self._cluster.nodes:
            node.thaw()
        for proxy in self._cluster.proxies.values():
            proxy.heal()
        self._cluster.start()

    def _worker(self) -> Node:
        return self._chance.choice(self._cluster.workers[1:])

    def _gateway(self) -> Node:
        return self._chance.choice(self._cluster.gateways[1:])

    async def _kill_worker(self) -> None:
        self._kill(self._worker())

    async def _kill_gateway(self) -> None:
        self._kill(self._gateway())

    def _kill(self, node: Node) -> None:
        node.kill()
        node.start()

    async def _freeze_worker(self) -> None:
        await self._freeze(self._chance.choice(self._cluster.workers))

    async def _freeze_gateway(self) -> None:
        await self._freeze(self._chance.choice(self._cluster.gateways))

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

    async def _kill_connections(self) -> None:
        self._cluster.kill_connections(self._chance.choice(["pubsub", "normal"]))

    async def _fall_behind(self) -> None:
        """A gateway doesn't read until Redis hangs up on it."""
        node, before = self._gateway(), self._cluster.cut_off
        node.freeze()
        await asyncio.to_thread(self._cluster.flood)
        with suppress(AssertionError):  # one that has just started may not have subscribed yet
            await until(lambda: self._cluster.cut_off > before, "Redis hangs up", limit=LEASE_TTL)
        self._cluster.allow_output()
        node.thaw()

    async def _pause_redis(self) -> None:
        await self._freeze(self._cluster.redis)

    async def _pause_writes(self) -> None:
        seconds = self._chance.choice([0.5, LEASE_TTL + 1])
        self._cluster.client.client_pause(int(seconds * 1000), all=False)
        await asyncio.sleep(seconds)

    async def _restart_redis(self) -> None:
        self._cluster.redis.kill()
        await asyncio.sleep(self._chance.choice([0.0, 1.0]))
        self._cluster.redis.start()
        await until(self._cluster.redis_answers, "Redis answers")

    async def _fill_redis(self) -> None:
        self._cluster.client.config_set("maxmemory", 1)
        await asyncio.sleep(self._chance.uniform(0.2, 1))
        self._cluster.client.config_set("maxmemory", 0)

    async def _disturb_connections(self) -> None:
        proxy = self._chance.choice(list(self._cluster.proxies.values()))
        match self._chance.choice(["delay", "deaf", "reset"]):
            case "delay":
                proxy.delay(0.1)
            case "deaf":
                proxy.black_hole()
            case _:
                proxy.reset()
        await asyncio.sleep(self._chance.choice([0.5, LEASE_TTL + 1]))
        proxy.heal()

    async def _lose_replies(self) -> None:
        for proxy in self._cluster.proxies.values():
            proxy.lose_reply(self._chance.choice(LOST))
        await self._heal_soon()

    async def _halve_replies(self) -> None:
        for proxy in self._cluster.proxies.values():
            proxy.halve_reply(self._chance.choice(HALVED))
        await self._heal_soon()

    async def _heal_soon(self) -> None:
        await asyncio.sleep(0.5)
        for proxy in self._cluster.proxies.values():
            proxy.heal()

    async def _slow_creates(self) -> None:
        await asyncio.to_thread(self._cluster.script, account="*", create={"outcome": "slow=2", "times": 5})

    async def _spoil_upstream(self) -> None:
        if self._cluster.upstream is not None:
            self._cluster.upstream.reset()
