"""Faults at random of a deployment on one Valkey."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

from tests.support.conditions import until
from tests.support.faults.breakable_system import LEASE_TTL
from tests.support.faults.cluster import Cluster
from tests.support.faults.fault_injector import Fault, FaultInjector

# What a reply that is lost or cut in two belongs to, or holds.
LOST = [b'"running":{', b"sent:", b'"delta"', b"finish:", b'"chat"', b'"image"']
HALVED = [b'"waited":', b"\r\nsent\r\n", b"\r\nidle\r\n", b"accepted", b'"delta"', b'"final"']


class OneServerInjector(FaultInjector):
    """See FaultInjector; with `proxied` processes."""

    def __init__(self, cluster: Cluster, chance: random.Random) -> None:
        super().__init__(cluster, chance)
        self._system: Cluster = cluster

    @property
    def _of_servers(self) -> Sequence[Fault]:
        return [
            self._kill_connections,
            self._fall_behind,
            self._pause_redis,
            self._pause_writes,
            self._restart_redis,
            self._fill_redis,
            self._disturb_connections,
            self._lose_replies,
            self._halve_replies,
            self._spoil_upstream,
        ]

    async def _kill_connections(self) -> None:
        self._system.kill_connections(self._chance.choice(["pubsub", "normal"]))

    async def _fall_behind(self) -> None:
        """A gateway doesn't read until Redis hangs up on it."""
        node, before = self._gateway(), self._system.cut_off
        node.freeze()
        await asyncio.to_thread(self._system.flood)
        with suppress(AssertionError):  # one that has just started may not have subscribed yet
            await until(lambda: self._system.cut_off > before, "Redis hangs up", limit=LEASE_TTL)
        self._system.allow_output()
        node.thaw()

    async def _pause_redis(self) -> None:
        await self._freeze(self._system.redis)

    async def _pause_writes(self) -> None:
        seconds = self._chance.choice([0.5, LEASE_TTL + 1])
        self._system.client.client_pause(int(seconds * 1000), all=False)
        await asyncio.sleep(seconds)

    async def _restart_redis(self) -> None:
        self._system.redis.kill()
        await asyncio.sleep(self._chance.choice([0.0, 1.0]))
        self._system.redis.start()
        await until(self._system.redis_answers, "Redis answers")

    async def _fill_redis(self) -> None:
        self._system.client.config_set("maxmemory", 1)
        await asyncio.sleep(self._chance.uniform(0.2, 1))
        self._system.client.config_set("maxmemory", 0)

    async def _disturb_connections(self) -> None:
        proxy = self._chance.choice(list(self._system.proxies.values()))
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
        for proxy in self._system.proxies.values():
            proxy.lose_reply(self._chance.choice(LOST))
        await self._heal_soon()

    async def _halve_replies(self) -> None:
        for proxy in self._system.proxies.values():
            proxy.halve_reply(self._chance.choice(HALVED))
        await self._heal_soon()

    async def _heal_soon(self) -> None:
        await asyncio.sleep(0.5)
        for proxy in self._system.proxies.values():
            proxy.heal()

    async def _spoil_upstream(self) -> None:
        if self._system.upstream is not None:
            self._system.upstream.reset()
