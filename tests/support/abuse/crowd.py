"""Many clients of one deployment, each with an address of its own, and the upstream's ledger by who asked."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.conditions import until
from tests.support.faults.breakable_system import LIMITS
from tests.support.faults.clients import Clients, unique
from tests.support.faults.cluster import Cluster, running
from tests.support.faults.history import Exchange
from wire import keys
from wire.ledger import PICTURES

# Longer than any test: what waits here ends because somebody ends it.
_FOR_EVER = "600"
_PORTION = 25
# No limit but those that a test sets: neither time nor an account ends a question.
PATIENT = dict.fromkeys(("FIRST_TEXT_TIMEOUT", "IDLE_TIMEOUT", "ANSWER_TIMEOUT", "QUEUE_TIMEOUT"), _FOR_EVER)
PATIENT |= {"SESSION_TTL": "3600", "ACCOUNT_TURNS": "0", "TRUSTED_PROXIES": "127.0.0.1"}
# An answer whose text doesn't come until somebody stops it.
HELD = f"!first={_FOR_EVER}"
SHORT = "!deltas=1"
SIX = [f"other{number}" for number in range(6)]


class Crowd:
    """Clients by their names. A question ends with its client's name, so that the ledger shows whose it is."""

    def __init__(self, cluster: Cluster, stack: AsyncExitStack) -> None:
        self.cluster = cluster
        self._stack = stack
        self._numbers = itertools.count(1)
        self._clients: dict[str, Clients] = {}
        self._headers: dict[str, Mapping[str, str]] = {}

    async def join(self, name: str, headers: Mapping[str, str] | None = None) -> None:
        """Add a client, with an address of its own unless `headers` say who it is."""
        first, second = divmod(next(self._numbers), 250)
        who = headers or {"x-forwarded-for": f"203.0.{first}.{second + 1}"}
        self._headers[name] = who
        clients = Clients(self.cluster.urls, who, float(_FOR_EVER))
        self._clients[name] = await self._stack.enter_async_context(clients)

    def headers(self, name: str) -> Mapping[str, str]:
        """Return what a client's requests carry."""
        return self._headers[name]

    def ask(self, name: str, words: str = SHORT, count: int = 1, *, keyed: bool = False) -> list[Exchange]:
        """Let a client ask so many questions at once, each under an Idempotency-Key of its own if they are `keyed`."""
        return [
            self._clients[name].start(
                "naive", f"{unique(words)} {name}", key=unique("Idempotency-Key") if keyed else ""
            )
            for _ in range(count)
        ]

    async def queue(self, name: str, count: int, *, keyed: bool = False) -> list[Exchange]:
        """Let a client have so many more questions waiting; it asks some at a time, which overruns no gateway."""
        exchanges: list[Exchange] = []
        before = self.queued
        while len(exchanges) < count:
            exchanges += self.ask(name, count=min(_PORTION, count - len(exchanges)), keyed=keyed)
            await self.waiting(before + len(exchanges))
        return exchanges

    async def answers(self, name: str, words: str = SHORT, count: int = 1) -> list[Exchange]:
        """Let a client ask so many questions at once, and wait until all have ended."""
        exchanges = self.ask(name, words, count)
        await self.ended(name, exchanges)
        return exchanges

    def leave(self, name: str, exchanges: list[Exchange]) -> None:
        """Let a client hang up on these questions."""
        for exchange in exchanges:
            self._clients[name].leave(exchange)

    async def ended(self, name: str, exchanges: list[Exchange]) -> None:
        """Wait until these have ended."""
        await self._clients[name].ended(*exchanges)

    async def fill(self, count: int, headers: Mapping[str, str] | None = None) -> list[Exchange]:
        """Take so many places, each for a client of its own, until they are released."""
        held = []
        for number in range(count):
            name = f"holder{number}"
            await self.join(name, headers)
            held += self.ask(name, HELD)
        await until(lambda: self.running("holder") == count, "all places are taken")
        return held

    async def release(self, held: list[Exchange]) -> None:
        """Stop what holds places."""
        await until(lambda: all(exchange.answer for exchange in held), "the answers' ids have come")
        for number, exchange in enumerate(held):
            assert await self._clients[f"holder{number}"].stop(exchange, self.cluster.urls[0]) == 200

    @property
    def accounts(self) -> int:
        """How many accounts there are."""
        names: Any = self.cluster.client.zrange(keys.accounts_key(), 0, -1)
        return sum(not name.endswith(PICTURES.encode()) for name in names)

    @property
    def queued(self) -> int:
        """How many questions wait for a worker."""
        return int(self.cluster.client.zcard(keys.queued_key()))

    async def waiting(self, count: int) -> None:
        """Wait until so many questions wait for a worker."""
        await until(lambda: self.queued == count, f"{count} wait")

    async def turns(self, count: int) -> list[str]:
        """Wait until so many questions have reached the upstream, and return who asked them, in order."""
        await until(lambda: len(self.order()) >= count, f"{count} turns")
        return self.order()[:count]

    def order(self) -> list[str]:
        """Return who asked, in the order in which questions reached the upstream, but for those that hold places."""
        names = [_asker(turn) for turn in self.cluster.ledger()["turns"]]
        return [name for name in names if not name.startswith("holder")]

    def running(self, name: str) -> int:
        """Return how many questions of the clients whose names begin so are being answered upstream."""
        return sum(turn["ended"] is None and _asker(turn).startswith(name) for turn in self.cluster.ledger()["turns"])


def _asker(turn: Mapping[str, Any]) -> str:
    return str(turn["question"]).rpartition(" ")[2]


@asynccontextmanager
async def crowd_at(
    folder: Path, *, servers: int = 4, workers: int = 1, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Crowd]:
    """Run a gateway and workers, at accounts of which so many are servers that speak the OpenAI API."""
    limits = LIMITS | PATIENT | dict(settings or {})
    with running(folder, gateways=1, workers=workers, limits=limits, servers=servers) as cluster:
        async with AsyncExitStack() as stack:
            yield Crowd(cluster, stack)
