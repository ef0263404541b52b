"""Answers in Redis: the ordered events of each job, complete for every reader."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

import structlog

from wire import keys
from wire.about import About, decode_about, describe, is_call
from wire.answer_reader import BATCH, FIRST, AnswerEvent, AnswerReader, LogBatch, count_following
from wire.blocks import Block
from wire.errors import AnswerLostError, AnswerNotFoundError, ClientFullError, StoreUnavailableError
from wire.messages import (
    TERMINAL,
    Event,
    Failed,
    Final,
    apply_event,
    apply_to_blocks,
    decode_event,
    decode_work,
    join_deltas,
)
from wire.redis.long_strings import Admit
from wire.redis.store import Store
from wire.redis.subscriptions import SILENCE, Subscriptions

_AWAY_PAUSE = 0.2
ENDED_STATES = (b"DONE", b"FAILED", b"STOPPED")
_LOG = structlog.get_logger()

Outcome = Literal["done", "failed", "stopped"]
AnswerState = Literal["queued", "running", Outcome]


@dataclass(frozen=True)
class AcceptedJob:
    """The job of an answer; `accepted` is the Unix time of its acceptance."""

    token: str
    about: About
    accepted: float


@dataclass(frozen=True)
class QueuePosition:
    """A waiting job's position, 1 for the next, 0 for one that waits for an account; its turn is due in `wait` s."""

    position: int
    wait: int


@dataclass(frozen=True)
class Progress:
    """The progress of an answer: its text up to its event `seq`.

    `blocks` are all that there is of it up to there. `end` is the terminal event, if there is one; `position` is set
    while the question waits; `provider` is '' until one has answered, and so is `model`.
    """

    token: str
    seq: int
    text: str
    state: AnswerState
    end: Final | Failed | None = None
    position: QueuePosition | None = None
    provider: str = ""
    model: str = ""
    blocks: tuple[Block, ...] = ()


class Answers:
    """Reader of answers: the log is the truth, pub/sub only a hint when to read it. An async context manager.

    `outcome_counts` counts the terminal events that followers got. A follower looks into the log after `silence`
    in seconds.
    """

    def __init__(self, store: Store, *, silence: float = SILENCE) -> None:
        self._store = store
        self._subscriptions = Subscriptions(store, silence=silence)
        self.outcome_counts: Counter[Outcome] = Counter()

    @property
    def followed_count(self) -> int:
        """The number of answers that are followed now."""
        return self._subscriptions.channel_count

    async def __aenter__(self) -> "Answers":
        await self._subscriptions.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._subscriptions.__aexit__(kind, error, trace)

    def follow(
        self, answer: str, after: int = 0, first: Callable[[Event], None] | None = None, *, early: bool = False
    ) -> AnswerReader:
        """Return a reader of the events after `after`, without gap or repeat, up to the terminal one.

        `first` is called with the first of them. `early`: the job is accepted only after the reader is entered, which
        saves a look into the log.

        Entering it begins to subscribe and waits for nothing, so that this overlaps the job's acceptance.
        Iterating raises AnswerLostError when the answer is no longer kept, and waits while Redis is away: deadlines are
        the caller's.
        """
        return AnswerReader(self, self._subscriptions, answer, after, first, early=early)

    def record_end(self, answer: str, event: Final | Failed) -> None:
        """Count and log the end that a follower got."""
        outcome = _state_of(event)
        self.outcome_counts[outcome] += 1
        reason = {"reason": event.reason} if isinstance(event, Failed) else {}
        _LOG.info("answer ended", answer=answer, outcome=outcome, **reason)

    async def catch_up(self, answer: str, seq: int, count: int = FIRST, *, new: bool, ahead: bool) -> LogBatch | None:
        """Return the first `count` events after `seq`; none for now if they can't be read, None if it ended at `seq`.

        For a `new` answer, of which nothing is known yet, the check whether it has ended is skipped. `ahead`: the event
        `seq` was another one than the end. Where Redis has lost events, the end may have got their seq; it is returned
        as the next one then.
        """
        try:
            batch = await self.read(answer, seq, count)
            if batch.events or new or (last := await self._last(answer)) is None:
                return batch
            # The end may have been written between the two reads.
            batch = await self.read(answer, seq, count)
            if not batch.events and ahead and seq >= last:
                lost = await self.read(answer, last - 1)
                return LogBatch([AnswerEvent(seq + 1, end.event) for end in lost.events], FIRST)
        except (StoreUnavailableError, ClientFullError):
            await asyncio.sleep(_AWAY_PAUSE)
            return LogBatch([], FIRST)
        if not batch.events and seq < last:
            raise AnswerLostError
        return batch if batch.events else None

    async def read(self, answer: str, after: int = 0, count: int = BATCH) -> LogBatch:
        """Return the first `count` events after `after` that the log contains, or all. StoreUnavailableError."""
        rows = await self._store.execute("XRANGE", keys.log_key(answer), f"{after}-1", "+", "COUNT", count + 1)
        return self.decode(rows, count)

    def decode(self, rows: Sequence[Any], count: int) -> LogBatch:
        """Return the first `count` of the rows that a log has returned: others show only that there are more."""
        shown = rows[:count]
        events = [AnswerEvent(int(id_.split(b"-")[0]), decode_event(event), more=True) for id_, (_, event) in shown]
        if len(rows) > count:
            return LogBatch(events, count_following(count, sum(len(event) for _, (_, event) in rows)))
        if events:
            events[-1].more = False
        return LogBatch(events, FIRST)

    async def read_last(self, answer: str) -> AnswerEvent | None:
        """Return the last event that the log contains. StoreUnavailableError."""
        rows = await self._store.execute("XREVRANGE", keys.log_key(answer), "+", "-", "COUNT", 1)
        return self.decode(rows, 1).events[0] if rows else None

    async def read_end(self, answer: str, holder: str = "") -> AnswerEvent:
        """Return the terminal event of the holder's answer, which has ended.

        AnswerNotFoundError, AnswerLostError, StoreUnavailableError.
        """
        _, _, written, _ = await self._job(answer, holder)
        last = await self.read_last(answer)
        if last is None or last.seq < int(written):
            raise AnswerNotFoundError
        if not isinstance(last.event, TERMINAL):
            raise AnswerLostError
        return last

    async def read_progress(self, answer: str, holder: str = "", admit: Admit | None = None) -> Progress:
        """Return the progress of the holder's answer, once `admit` lets so many bytes be read, and raises what it does.

        AnswerNotFoundError, StoreUnavailableError.
        """
        token, state, written, grown = await self._job(answer, holder)
        if admit is not None:
            await admit(await self._measure(answer, state, grown))
        seq, text, end, provider, model = 0, "", None, "", ""
        blocks: list[Block] = []
        batch = LogBatch([], FIRST)
        while (batch := await self.read(answer, seq, batch.following)).events:
            entries = batch.events
            for event in join_deltas(entry.event for entry in entries):
                text = apply_event(text, event)
                apply_to_blocks(blocks, event)
            for entry in entries:
                seq = entry.seq
                provider = entry.event.provider or provider
                model = model if isinstance(entry.event, Failed) else entry.event.model or model
            if isinstance(entry.event, TERMINAL):
                end = entry.event
                break
        # The log was read after the job, so it may be ahead of it.
        if seq < int(written):
            raise AnswerNotFoundError
        place = await self.read_position(answer) if state == b"QUEUED" and not seq else None
        reached = _state_of(end) if end else "queued" if place else "running"
        return Progress(token, seq, text, reached, end, place, provider, model, tuple(blocks))

    async def read_position(self, answer: str) -> QueuePosition | None:
        """Return the queue position of the answer's job, None if it doesn't wait. StoreUnavailableError."""
        prefix = keys.prefix(keys.shard_of_answer(answer))
        reply: Any = await self._store.run("place", keys.job_key(answer), prefix, answer)
        return None if reply is None else QueuePosition(*reply)

    async def read_token(self, answer: str, holder: str = "") -> str:
        """Return the token of the holder's answer. AnswerNotFoundError, StoreUnavailableError."""
        token, *_ = await self._job(answer, holder)
        return token

    async def read_job(self, answer: str, holder: str = "") -> AcceptedJob:
        """Return the job of the holder's answer. AnswerNotFoundError, StoreUnavailableError."""
        names = ("token", "about", "accepted", "holder")
        token, about, accepted, owner = await self._store.execute("HMGET", keys.job_key(answer), *names)
        if accepted is None or (owner or b"").decode() != holder:
            raise AnswerNotFoundError
        described = decode_about(about) if about else await self._describe(answer)
        return AcceptedJob(token.decode(), described, int(accepted) / 1000)

    async def _describe(self, answer: str) -> About:
        """Return what is known about a job that a gateway of version 0.1 has submitted, with its work inside."""
        work = await self._store.execute("HGET", keys.job_key(answer), "work")
        if work is None:
            raise AnswerNotFoundError
        return describe(decode_work(work))

    async def _job(self, answer: str, holder: str) -> tuple[str, bytes, bytes, int]:
        """Return the answer's token, state and last seq, and for how many bytes it has counted while it grew.

        AnswerNotFoundError for anybody but its holder, and for a call, whose result isn't there to be asked for again.
        """
        names = ("token", "state", "seq", "grown", "holder", "about")
        token, state, seq, grown, owner, about = await self._store.execute("HMGET", keys.job_key(answer), *names)
        if token is None or (owner or b"").decode() != holder or (about and is_call(about)):
            raise AnswerNotFoundError
        return token.decode(), state, seq, int(grown or 0)

    async def _measure(self, answer: str, state: bytes, grown: int) -> int:
        """Return about how many bytes an answer has: roughly those that count for it."""
        counted = await self._store.execute("HGET", keys.sizes_key(), answer) if state in ENDED_STATES else None
        return grown if counted is None else int(counted.split(b" ", 1)[0])

    async def _last(self, answer: str) -> int | None:
        """Return the terminal event's seq, None while there is none."""
        state, seq = await self._store.execute("HMGET", keys.job_key(answer), "state", "seq")
        if state is None:
            raise AnswerLostError
        return int(seq) if state in ENDED_STATES else None


def _state_of(end: Final | Failed) -> Outcome:
    if isinstance(end, Failed):
        return "failed"
    return "stopped" if end.stopped else "done"
