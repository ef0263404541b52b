"""Answers whose logs this process reads a few at a time, however many clients read them again and again.

A log may have 8 MB, and Redis makes a whole reply before it sends the first byte of it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from time import thread_time
from typing import Any, Protocol
from weakref import WeakValueDictionary

from wire.answer_reader import BATCH, AnswerEvent, LogBatch
from wire.answers import Answers
from wire.fair_room import FairRoom
from wire.redis.store import Store
from wire.redis.subscriptions import SILENCE

# How many logs are read at a time: their replies fit into the part of Redis's memory that questions leave.
MOST_READS = 8
# The client of the request that reads, '' for the gateway itself. A variable, since readers are made in many places.
READER: ContextVar[str] = ContextVar("reader", default="")


class ClientTurns(Protocol):
    """The long steps of each client, with rests between them."""

    async def wait(self, client: str) -> None:
        """Wait until it is the client's turn. ClientFullError if that takes too long."""
        ...

    def spend(self, client: str, seconds: float) -> None:
        """Count a step of the client's."""
        ...


class BoundedAnswers(Answers):
    """As Answers, but one read of an answer waits for the one before it, and all for one of `most` places.

    So readers of a few long answers wait for each other, and hardly anybody else for them: a client leaves as many
    places as it takes. Reads are steps of their client's in `turns`, if there are any.
    """

    def __init__(
        self,
        store: Store,
        *,
        silence: float = SILENCE,
        most: int = MOST_READS,
        turns: ClientTurns | None = None,
    ) -> None:
        super().__init__(store, silence=silence)
        self._most = most
        self._client_turns = turns
        self._places = FairRoom()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, answer: str, after: int = 0, count: int = BATCH) -> LogBatch:
        """See Answers. ClientFullError, StoreUnavailableError."""
        async with self._place(answer):
            return await super().read(answer, after, count)

    async def read_last(self, answer: str) -> AnswerEvent | None:
        """See Answers. ClientFullError, StoreUnavailableError."""
        async with self._place(answer):
            return await super().read_last(answer)

    @asynccontextmanager
    async def _place(self, answer: str) -> AsyncIterator[None]:
        """Wait for the client's rest, for the turn of an answer and for a place, and hold the last two."""
        client = READER.get()
        # First of all: who rests has no place that others wait for.
        if client and self._client_turns is not None:
            await self._client_turns.wait(client)
        turn = self._turns.get(answer)
        if turn is None:
            turn = self._turns[answer] = asyncio.Lock()
        async with turn, self._places.take(client, 1, self._most):
            yield

    def decode(self, rows: Sequence[Any], count: int) -> LogBatch:
        """See Answers: to parse the reply that brought them has taken about as long."""
        client, began = READER.get(), thread_time()
        batch = super().decode(rows, count)
        if client and self._client_turns is not None:
            self._client_turns.spend(client, 2 * (thread_time() - began))
        return batch
