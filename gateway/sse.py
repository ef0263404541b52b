"""Server-sent events: the framing, and a response that streams an answer."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import structlog
from starlette.types import Receive, Scope, Send

from gateway.errors import UNKNOWN, ClientGoneError, DrainingError, problem_of
from gateway.middleware import server_send
from gateway.peek import peeked
from gateway.refusals import Refusals
from gateway.telling import Telling, Told
from gateway.turns import Turn, Turns, background
from wire.answers import Entry
from wire.errors import AnswerGoneError

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_RETRY_MS = 1000
_PING_EVERY = 15.0
# How many events leave in one chunk at most.
_TOGETHER = 64
# How long a client that doesn't read may hold up the last frame, in seconds.
_LAST_SEND = 5.0
_EVENT_ID = re.compile(r"(s\d{1,4}-[0-9a-f]{32})\.(\d{1,9})", re.ASCII)
_LOG = structlog.get_logger()


@dataclass(frozen=True)
class Position:
    """A place in an answer, as an event's id names it."""

    answer: str
    seq: int

    def __str__(self) -> str:
        return f"{self.answer}.{self.seq}"


def position(last_event_id: str) -> Position | None:
    """What a Last-Event-ID header names; None if it is none of ours."""
    found = _EVENT_ID.fullmatch(last_event_id)
    return Position(found[1], int(found[2])) if found else None


def frame(data: bytes, event_id: Position | None = None, name: str = "") -> bytes:
    """One event; `data` is one line."""
    head = b"" if event_id is None else b"id: %s\n" % str(event_id).encode()
    if name:
        head += b"event: %s\n" % name.encode()
    return b"%sdata: %s\n\n" % (head, data)


def opening(event_id: Position) -> bytes:
    """What an EventSource gets before any text, so that it goes on instead of asking again."""
    return b"retry: %d\nid: %s\n\n" % (_RETRY_MS, str(event_id).encode())


async def watch(receive: Receive, turn: Turn) -> None:
    """End `turn` when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    turn.end(ClientGoneError)


@dataclass
class AnswerStream:
    """A response that streams one answer.

    Errors before the first byte are raised; later ones are told in the stream. `events` is set for a client that speaks
    the whole protocol: it also gets ids and pings. The headers wait for the first event for up to `patience` seconds.
    With `after`, everything up to that seq is left out.
    """

    turns: Turns
    limit: float
    follow: Callable[[], AbstractAsyncContextManager[AsyncGenerator[Entry, None]]]
    answer: str
    telling: Telling
    events: bool
    patience: float = 0.0
    after: int = 0
    _started: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        body = server_send(scope, send)
        try:
            await self._run(scope, receive, send, body)
        except ClientGoneError:
            return
        except Exception as error:
            if not self._started:
                raise
            await self._fail(error, scope["state"]["refusals"], body)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SEND):
                await body({"type": "http.response.body", "body": b""})

    async def _run(self, scope: Scope, receive: Receive, send: Send, body: Send) -> None:
        async with (
            self.turns.turn(self.limit) as turn,
            background(watch(receive, turn)),
            self.follow() as following,
            peeked(following, self.patience) as (first, entries),
        ):
            opened = self.telling.opening(first.event if first else None)
            if first is not None:
                scope["state"]["provider"] = first.event.provider
            self._started = True
            await send({"type": "http.response.start", "status": 200, "headers": list(_RAW_HEADERS)})
            if self.events:
                await _chunk(body, opening(Position(self.answer, self.after)))
            if opened and not self.after:
                await _chunk(body, _joined(opened))
            async with background(_ping(body)) if self.events else contextlib.nullcontext():
                # A task of its own: what wakes up with each delta would climb through all layers of the application.
                await asyncio.create_task(self._relay(entries, body))

    async def _relay(self, entries: AsyncIterator[Entry], send: Send) -> None:
        # What has come together leaves together: a stream that is behind catches up.
        waiting: list[bytes] = []
        async for entry in entries:
            made = await self.telling.of(entry.event)
            if made and entry.seq > self.after:
                waiting.append(_joined(made, Position(self.answer, entry.seq) if self.events else None))
            if waiting and (not entry.more or self.telling.over or len(waiting) >= _TOGETHER):
                await send({"type": "http.response.body", "body": b"".join(waiting), "more_body": True})
                waiting.clear()
            if self.telling.over:
                return
        raise AnswerGoneError("the answer's events stopped")

    async def _fail(self, error: Exception, refusals: Refusals, send: Send) -> None:
        """Tell the client, inside the stream."""
        if self.telling.comes_back and isinstance(error, DrainingError):
            return
        if problem_of(error) is None:
            _LOG.error("stream broke off", answer=self.answer, exc_info=error)
        refusals.note(problem_of(error) or UNKNOWN)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SEND):
                await _chunk(send, _joined(self.telling.broken_off(error)))


def _joined(made: list[Told], event_id: Position | None = None) -> bytes:
    if len(made) == 1:
        return frame(made[0].data, event_id, made[0].name)
    # Only the last one has the event's id: what was cut off within an event comes again as a whole.
    *others, last = made
    return b"".join([*(frame(one.data, None, one.name) for one in others), frame(last.data, event_id, last.name)])


async def _chunk(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _ping(send: Send) -> None:
    while True:
        await asyncio.sleep(_PING_EVERY)
        await _chunk(send, b": ping\n\n")
