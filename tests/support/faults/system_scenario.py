"""A system under faults, its clients, and the verdict over both."""

import asyncio
from dataclasses import dataclass

from tests.support.conditions import until
from tests.support.faults.breakable_system import BreakableSystem
from tests.support.faults.checker import forbidden, in_logs, violations
from tests.support.faults.clients import Clients
from tests.support.faults.history import Exchange
from tests.support.faults.node import Node
from tests.support.faults.quiescence import await_quiescence

# Characters of one of the upstream's deltas, in an answer with a scripted number of them.
_DELTA = len("delta 000001 ")


@dataclass
class SystemScenario:
    """A system, its clients, and the judgement over both."""

    system: BreakableSystem
    clients: Clients

    async def streaming(self, *exchanges: Exchange, deltas: int = 3) -> None:
        """Wait until so many of the upstream's deltas have come of each answer, in however many frames."""
        await until(
            lambda: all(len("".join(exchange.deltas)) >= deltas * _DELTA for exchange in exchanges), "text comes"
        )

    def asked_once(self, *exchanges: Exchange) -> bool:
        """Whether each of these questions reached the upstream, and only once."""
        return [len(self.system.turns(exchange.question)) for exchange in exchanges] == [1] * len(exchanges)

    async def holder(self, exchange: Exchange) -> Node:
        """The worker that holds the lease of the question's token."""
        node: Node = await until(lambda: self.system.holder(exchange.question), "a worker has the question")
        return node

    async def verify(self, *, whole: bool = True) -> None:
        """Wait for every end, check every promise, and that nothing is left over.

        The answers' logs are only looked at if they are `whole`: if Redis lost nothing.
        """
        await self.clients.ended()
        broken = forbidden(violations(self.clients.exchanges, self.system.ledger()))
        assert not broken, "\n".join(f"{violation.kind}: {violation.text}" for violation in broken)
        await asyncio.to_thread(await_quiescence, self.system)
        broken = list(in_logs(await asyncio.to_thread(self.system.logs))) if whole else []
        assert not broken, "\n".join(f"{violation.kind}: {violation.text}" for violation in broken)
