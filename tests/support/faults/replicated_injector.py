"""Faults at random of a deployment on several servers."""

import asyncio
import random
from collections.abc import Sequence

from tests.support.faults.fault_injector import Fault, FaultInjector
from tests.support.faults.one_server_injector import HALVED, LOST
from tests.support.faults.redis_node import RedisNode
from tests.support.faults.replicated_system import ReplicatedSystem
from tests.support.faults.shard import Shard
from wire import keys


class ReplicatedInjector(FaultInjector):
    """See FaultInjector. What makes another server the primary comes as often as all else."""

    def __init__(self, system: ReplicatedSystem, chance: random.Random) -> None:
        super().__init__(system, chance)
        self._system: ReplicatedSystem = system

    @property
    def _of_servers(self) -> Sequence[Fault]:
        return [
            self._lose_replies,
            self._halve_replies,
            *[self._kill_primary, self._hand_over, self._freeze_primary, self._split_primary, self._return_primary] * 2,
        ]

    def _shard(self) -> Shard:
        return self._system.shard(self._chance.choice([keys.SHARD, keys.LEDGER]))

    async def _primary(self, shard: Shard) -> RedisNode:
        return await asyncio.to_thread(shard.agreed_primary)

    async def _lose_replies(self) -> None:
        line = (await self._primary(self._shard())).line
        line.lose_reply(self._chance.choice(LOST))
        await asyncio.sleep(0.5)
        line.heal()

    async def _halve_replies(self) -> None:
        line = (await self._primary(self._shard())).line
        line.halve_reply(self._chance.choice(HALVED))
        await asyncio.sleep(0.5)
        line.heal()

    async def _kill_primary(self) -> None:
        """Fault 1, and 2 where it is the ledger's."""
        await asyncio.to_thread(self._shard().kill_primary)
        await self._while()
        await self._make_good()

    async def _hand_over(self) -> None:
        """Fault 3."""
        shard = self._shard()
        await asyncio.to_thread(shard.fail_over)
        await self._make_good()

    async def _freeze_primary(self) -> None:
        """Fault 4."""
        shard = self._shard()
        old = await self._primary(shard)
        old.freeze()
        await asyncio.to_thread(shard.successor, old)
        await self._make_good()

    async def _split_primary(self) -> None:
        """Fault 5: with one worker and one gateway."""
        shard = self._shard()
        old = await self._primary(shard)
        self._system.shape.network.split(old, self._worker(), self._gateway())
        await asyncio.to_thread(shard.successor, old)
        await self._while()
        await self._make_good()

    async def _return_primary(self) -> None:
        """Fault 12: it returns as a primary, and nobody demotes it for a while."""
        shard = self._shard()
        old = await self._primary(shard)
        await asyncio.to_thread(shard.kill_primary)
        shard.isolate(old)
        old.start()
        await self._while()
        await self._make_good()

    async def _make_good(self) -> None:
        """Let all servers be there, reach each other, and agree on the primary; a dead one returns."""
        await asyncio.to_thread(self._system.shape.restore)

    async def _while(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, 3))
