"""The events of one answer, in order, as they are appended."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from wire import keys
from wire.messages import TERMINAL, Event, Failed, Final, decode_event
from wire.redis.subscriptions import GAP, Hint, Subscription, Subscriptions

# How many events one read of the log returns at most, and about how many bytes: the cost of one step of a late reader.
BATCH, BATCH_BYTES = 500, 128 * 1024
# How many the first read returns, and how many times as many the next one does at most.
FIRST, _GROWTH = 8, 4


@dataclass(slots=True)
class AnswerEvent:
    """An event of an answer, by its seq. `more`: the next one has arrived already, so that a reader may wait for it."""

    seq: int
    event: Event
    more: bool = field(default=False, compare=False)


class LogBatch(NamedTuple):
    """Events of a log, and how many the next read should return, as far as these show how long they are."""

    events: list[AnswerEvent]
    following: int


class EventLog(Protocol):
    """What a reader needs of the answers: their events in Redis, and a count of their ends."""

    async def catch_up(self, answer: str, seq: int, count: int = FIRST, *, new: bool, ahead: bool) -> LogBatch | None:
        """Return `count` events after `seq`, or all; None when the answer ended at `seq`; `ahead`: it can't have."""
        ...

    def record_end(self, answer: str, event: Final | Failed) -> None:
        """Count the end that a reader got."""
        ...


class AnswerReader:
    """Iterator over the events of one answer, inside its own context manager; see Answers.follow.

    A class instead of a generator: there is one for each open stream, and a wait for the next event may be cancelled.
    """

    __slots__ = (
        "_ahead",
        "_answer",
        "_behind",
        "_count",
        "_early",
        "_first",
        "_log",
        "_new",
        "_over",
        "_pending",
        "_seq",
        "_subscription",
        "_subscriptions",
    )
    _subscription: Subscription

    def __init__(
        self,
        log: EventLog,
        subscriptions: Subscriptions,
        answer: str,
        after: int,
        first: Callable[[Event], None] | None,
        *,
        early: bool,
    ) -> None:
        self._log = log
        self._answer = answer
        self._first = first
        self._new = first is not None
        self._early = early
        self._subscriptions = subscriptions
        # Events that have arrived and weren't read yet, the next one last; `_seq` is the last one's seq.
        self._pending: list[AnswerEvent] = []
        self._seq = after
        # Whether this reader has had the event `_seq`, which was not the end.
        self._ahead = False
        self._behind = False
        self._count = FIRST
        self._over = False

    @property
    def answer(self) -> str:
        """The answer's id."""
        return self._answer

    async def __aenter__(self) -> "AnswerReader":
        self._subscription = self._subscriptions.add(keys.channel(self._answer), early=self._early)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._subscriptions.remove(keys.channel(self._answer), self._subscription, ended=self._over)

    def __aiter__(self) -> "AnswerReader":
        return self

    async def __anext__(self) -> AnswerEvent:
        await self._fill()
        if not self._pending:
            raise StopAsyncIteration
        entry = self._pending.pop()
        if isinstance(entry.event, TERMINAL):
            self._over = True
            self._pending.clear()
            self._log.record_end(self._answer, entry.event)
        return entry

    async def peek(self, seconds: float) -> AnswerEvent | None:
        """Return the next event without consuming it, None if none arrives within `seconds` or the answer is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._fill()
        return self._pending[-1] if self._pending else None

    async def _fill(self) -> None:
        """Wait for events, unless some are there or the answer is over."""
        while not self._pending and not self._over:
            hint = GAP if self._behind else await self._subscription.next()
            if hint is not GAP and hint[0] <= self._seq:
                continue
            if hint is not GAP and hint[0] == self._seq + 1:
                self._take(_arrived(hint, self._subscription))
            else:
                await self._catch_up()

    async def _catch_up(self) -> None:
        # Until the log was read there is something to read, even if the wait for it is cancelled.
        self._behind = True
        batch = await self._log.catch_up(self._answer, self._seq, self._count, new=self._new, ahead=self._ahead)
        self._new = False
        self._over = batch is None
        events, self._count = batch or LogBatch([], FIRST)
        self._behind = bool(events) and events[-1].more
        self._take(events)

    def _take(self, events: list[AnswerEvent]) -> None:
        if not events:
            return
        self._seq = events[-1].seq
        self._ahead = True
        if self._first is not None:
            self._first(events[0].event)
            self._first = None
        events.reverse()
        self._pending = events


def count_following(count: int, size: int) -> int:
    """Return how many events to read behind `count` that have `size` bytes."""
    return max(1, min(BATCH, count * _GROWTH, BATCH_BYTES * count // max(size, 1)))


def _arrived(hint: Hint, subscription: Subscription) -> list[AnswerEvent]:
    """Return the hint's event, and those that have arrived after it."""
    seq, published = hint
    events = [AnswerEvent(seq, decode_event(published))]
    while (following := subscription.take_event(seq := seq + 1)) is not None:
        events[-1].more = True
        events.append(AnswerEvent(seq, decode_event(following)))
    return events
