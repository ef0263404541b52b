"""A system on several servers under faults, its clients, and the verdict over both."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.conditions import until
from tests.support.faults.account_resetter import ready_accounts
from tests.support.faults.clients import unique
from tests.support.faults.history import Exchange, Kind
from tests.support.faults.load_clients import LoadClients
from tests.support.faults.redis_node import RedisNode
from tests.support.faults.replicated_system import ReplicatedSystem
from tests.support.faults.system_scenario import SystemScenario
from wire import keys

_USERS = 6
# Two seconds, and what a busy machine takes to notice.
_REFUSED = 2.5
_KINDS: tuple[Kind, ...] = ("eventsource", "eventsource", "naive", "whole")


@dataclass
class FailOverScenario(SystemScenario):
    """See SystemScenario."""

    system: ReplicatedSystem

    @asynccontextmanager
    async def load(self, seed: int) -> AsyncIterator[None]:
        """Let clients of all kinds ask during the body."""
        going = True
        users = LoadClients(self.clients, self.system.urls, random.Random(seed))
        async with ready_accounts(self.system):
            asking = asyncio.create_task(users.ask_while(lambda: going, _USERS))
            try:
                yield
            finally:
                going = False
                await asking

    async def start_answers(self, words: str, kinds: tuple[Kind, ...] = _KINDS) -> list[Exchange]:
        """Ask for long answers in several ways, and wait until those that stream do."""
        exchanges = [self.clients.start(kind, unique(words)) for kind in kinds]
        await self.streaming(*(exchange for exchange in exchanges if exchange.streaming))
        await until(lambda: all(self.system.turns(exchange.question) for exchange in exchanges), "all are sent")
        return exchanges

    async def primary(self, tag: str = keys.SHARD) -> RedisNode:
        """Return the primary of this hash tag, once a majority agrees on it."""
        return await asyncio.to_thread(self.system.shard(tag).agreed_primary)

    async def await_successor(self, old: RedisNode, tag: str = keys.SHARD) -> None:
        """Wait until another primary of this hash tag takes writes in place of the old one."""
        await asyncio.to_thread(self.system.shard(tag).successor, old)

    async def await_demotion(self, old: RedisNode) -> None:
        """Wait until the old primary of the answers is a replica of the one that is."""
        await asyncio.to_thread(self.system.shard().await_demotion, old)

    async def answered(self) -> Exchange:
        """Ask new questions, one after the other, until one is answered, and return it."""
        exchange: Exchange = await until(self._ask_once, "a new question is answered")
        return exchange

    async def _ask_once(self) -> Exchange | None:
        exchange = await self.clients.ask("whole", unique("hello"))
        return exchange if exchange.answered else None

    async def fail(self) -> None:
        """Let the primary of the answers fail and another take its place, whatever that lacks."""
        old = await self.primary()
        old.kill()
        await self.await_successor(old)

    async def roll(self) -> None:
        """Replace each gateway and each worker by a new process, one of each at a time, while the others serve."""
        for pair in zip(self.system.gateways, self.system.workers, strict=True):
            for node in pair:
                node.terminate()
            for node in pair:
                await asyncio.to_thread(node.wait)
            await asyncio.to_thread(self.system.start)

    def channels(self) -> set[bytes]:
        """The channels that are subscribed to at any server; see BreakableSystem."""
        clients = [self.system.client_of(server) for server in self.system.shape.servers]
        return set[bytes]().union(*map(self.system.channels, clients))

    async def refused(self) -> Exchange:
        """Ask a question that must be refused within two seconds, with a word on when to come back, and unspent."""
        exchange = await self.clients.ask("whole", unique("hello"))
        assert (exchange.code, "retry-after" in exchange.headers) == (503, True)
        assert exchange.ended is not None
        assert exchange.ended - exchange.began < _REFUSED
        assert not self.system.turns(exchange.question)
        return exchange

    def refusals(self, since: Mapping[str, int]) -> dict[str, set[str]]:
        """Why gateways can't use Redis, as each has logged it beyond so many records, of those that have."""
        causes = {
            node.name: {
                str(record["cause"])
                for record in list(node.says())[since[node.name] :]
                if record["event"] == "redis can't be used"
            }
            for node in self.system.gateways
        }
        return {name: each for name, each in causes.items() if each}

    def logged(self) -> dict[str, int]:
        """How many records each gateway has logged."""
        return {node.name: len(list(node.says())) for node in self.system.gateways}

    async def verify_unbroken(self, *exchanges: Exchange) -> None:
        """Check that each of these answers came over one connection, and was asked for once; then all as `verify`."""
        await self.clients.ended()
        assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
        assert self.asked_once(*exchanges)
        await self.verify()

    async def no_slot_in_use(self) -> None:
        """Wait until the ledger has no account's slot in use."""
        await until(self._has_free_slots, "no slot is in use")

    async def _has_free_slots(self) -> bool:
        client = self.system.client_of(self.system.shard(keys.LEDGER).agreed_primary())
        names = [name.decode() for name in client.zrange(keys.accounts_key(), 0, -1)]  # type: ignore[union-attr]
        now = time.time() * 1000
        return not any(client.zcount(keys.flight_key(name), now, "+inf") for name in names)
