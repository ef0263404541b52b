"""Appends of events to answers' logs: what arrives in a turn of the loop leaves in as few calls as their bounds allow.

While a call is out, what arrives leaves with its reply: the busier Redis is, the more each call carries.

A log that is closed takes no more, and a job never changes its worker before its log is. So most appends look at
nothing but the log. What the log can't show is that Redis has lost some of it, which happens only with a connection or
while an answer is silent: after either an append is careful, and so is each answer's first.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from wire import keys
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError, StoreUnavailableError
from wire.redis.connection import Argument
from wire.redis.store import Store

# What one call carries at most, unless a single event is larger: Redis serves nobody else meanwhile.
MOST_EVENTS = 64
MOST_BYTES = 256 * 1024
# Seconds of silence after which the log may have been lost behind a connection that held, a proxy's.
_SILENCE = 5.0


class Appended(NamedTuple):
    """A confirmation: on which of the store's links the append went, and the loop's time of the reply."""

    link: int
    at: float


@dataclass(slots=True)
class _Append:
    shard: str
    lease: str
    answer: str
    seq: int
    event: bytes
    last: Appended | None
    reply: "asyncio.Future[Appended]"
    careful: bool = True


class Appends:
    """The appends that leave together."""

    def __init__(self, store: Store) -> None:
        self._fast = False
        self._store = store
        self._waiting: list[_Append] = []
        # How many calls are out.
        self._out = 0

    def allow_fast(self, closed: bool) -> None:
        """Say whether the log of each answer that has ended is `closed`, whoever has ended it."""
        self._fast = closed

    def add(
        self, shard: str, lease: str, answer: str, seq: int, event: bytes, last: Appended | None
    ) -> "asyncio.Future[Appended]":
        """Append the event that must get `seq`; `last` is the confirmation of the one before.

        The lease is its token, worker and fence with spaces between. LeaseLostError, AnswerEndedError, StateLostError,
        StoreUnavailableError.
        """
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Appended] = loop.create_future()
        if not self._waiting and not self._out:
            loop.call_soon(self._send)
        self._waiting.append(_Append(shard, lease, answer, seq, event, last, reply))
        return reply

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        earliest = asyncio.get_running_loop().time() - _SILENCE
        by_shard = defaultdict[str, list[_Append]](list)
        for append in waiting:
            # Done already if its turn was broken off.
            if not append.reply.done():
                by_shard[append.shard].append(append)
        for shard, appends in by_shard.items():
            link = self._store.link(shard)
            for append in appends:
                last = append.last
                append.careful = not self._fast or last is None or last.link != link or last.at < earliest
            appends.sort(key=_is_fast)
            for call in _calls(appends):
                self._call(keys.prefix(shard), call)

    def _call(self, prefix: str, appends: Sequence[_Append]) -> None:
        arguments: list[Argument] = [prefix, sum(append.careful for append in appends)]
        for append in appends:
            arguments += (append.answer, append.seq, append.event, append.lease)
        key = keys.log_key(appends[0].answer)
        call = self._store.start("append", key, *arguments, read=partial(self._confirm, appends))
        self._out += 1
        call.add_done_callback(partial(self._on_reply, appends))

    def _on_reply(self, appends: Sequence[_Append], call: "asyncio.Future[None]") -> None:
        _fail(appends, call)
        self._out -= 1
        if self._waiting and not self._out:
            self._send()

    def _confirm(self, appends: Sequence[_Append], replies: list[int]) -> None:
        appended = Appended(self._store.link(appends[0].shard), asyncio.get_running_loop().time())
        for append, reply in zip(appends, replies, strict=True):
            if append.reply.done():
                continue
            if reply == 0:
                append.reply.set_result(appended)
            else:
                append.reply.set_exception(_refusal(reply))


def _is_fast(append: _Append) -> bool:
    return not append.careful


def _calls(appends: Sequence[_Append]) -> Iterator[Sequence[_Append]]:
    """Yield the appends in calls of MOST_EVENTS and MOST_BYTES at most, a larger event alone."""
    first = size = 0
    for number, append in enumerate(appends):
        size += len(append.event)
        if number > first and (number - first == MOST_EVENTS or size > MOST_BYTES):
            yield appends[first:number]
            first, size = number, len(append.event)
    yield appends[first:]


def _fail(appends: Sequence[_Append], call: "asyncio.Future[None]") -> None:
    """Pass on why a call has failed."""
    error = StoreUnavailableError("closed") if call.cancelled() else call.exception()
    if error is None:
        return
    for append in appends:
        if not append.reply.done():
            append.reply.set_exception(error)


def _refusal(reply: int) -> Exception:
    match reply:
        case -1:
            return LeaseLostError("stale fence")
        case -2:
            return AnswerEndedError("the answer has ended")
        case -3:
            return StateLostError("the answer's events are lost in Redis")
        case _:
            return StoreUnavailableError("Redis has refused an event")
