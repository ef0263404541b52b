"""Answers whose logs this process reads a few at a time, however many clients read them again and again.

A log may have 8 MB, and Redis makes a whole reply before it sends the first byte of it.
"""

import asyncio
from weakref import WeakValueDictionary

from wire.answer_reader import AnswerEvent
from wire.answers import Answers
from wire.redis.store import Store
from wire.redis.subscriptions import SILENCE

# How many logs are read at a time: their replies fit into the part of Redis's memory that questions leave.
MOST_READS = 8


class BoundedAnswers(Answers):
    """As Answers, but one read of an answer waits for the one before it, and all for one of `most` places.

    So readers of a few long answers wait for each other, and hardly anybody else for them.
    """

    def __init__(self, store: Store, *, silence: float = SILENCE, most: int = MOST_READS) -> None:
        super().__init__(store, silence=silence)
        self._places = asyncio.Semaphore(most)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, answer: str, after: int = 0) -> list[AnswerEvent]:
        """See Answers. StoreUnavailableError."""
        turn = self._turns.get(answer)
        if turn is None:
            turn = self._turns[answer] = asyncio.Lock()
        async with turn, self._places:
            return await super().read(answer, after)
