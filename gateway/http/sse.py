"""Server-sent events: the framing, and a response that streams an answer."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

import structlog
from starlette.types import Receive, Scope, Send

from gateway.answering.drain import ActiveRequests, background
from gateway.errors import UNKNOWN, ClientGoneError, DrainingError, problem_of
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.middleware import lasting, server_send
from gateway.http.presenter import Presenter, SseFrame
from wire.answers import AnswerEvent, AnswerReader
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


@dataclass(slots=True)
class AnswerStream:
    """A response that streams one answer.

    Errors before the first byte are raised; later ones are told in the stream. `events` is set for a client that speaks
    the whole protocol: it also gets ids and pings. The headers wait for the first event for up to `patience` seconds.
    With `after`, everything up to that seq is left out.
    """

    turns: ActiveRequests
    limit: float
    follow: Callable[[], AbstractAsyncContextManager[AnswerReader]]
    answer: str
    telling: Presenter
    events: bool
    patience: float = 0.0
    after: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        stream = self._streamed(scope, receive, send)
        try:
            await anext(stream)
        except ClientGoneError:
            return
        await lasting(scope, partial(self._rest, stream, server_send(scope, send), scope["state"]["refusals"]))

    async def _rest(self, stream: AsyncGenerator[None, None], send: Send, refusals: ErrorMetrics) -> None:
        try:
            await anext(stream, None)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - it is told in the stream
            await self._fail(error, refusals, send)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SEND):
                await send({"type": "http.response.body", "body": b""})

    async def _streamed(self, scope: Scope, receive: Receive, send: Send) -> AsyncGenerator[None, None]:
        """Begin, and then do the rest: between the two everything that surrounds the endpoint is left behind.

        This one frame is what an open stream keeps for as long as it lasts; so nothing stays in it that isn't needed.
        """
        body = server_send(scope, send)
        async with self.turns.turn(self.limit, receive=receive), self.follow() as entries:
            # With the question.
            del self.follow
            scope["state"]["answer"] = self.answer
            first = await entries.peek(self.patience) if self.patience else None
            opened = self.telling.opening(first.event if first else None)
            if first is not None:
                scope["state"]["provider"] = first.event.provider
            del scope, receive, first
            yield
            await send({"type": "http.response.start", "status": 200, "headers": list(_RAW_HEADERS)})
            del send
            if self.events:
                await _chunk(body, opening(Position(self.answer, self.after)))
            if opened and not self.after:
                await _chunk(body, _joined(opened))
            del opened
            async with background(_ping(body)) if self.events else contextlib.nullcontext():
                await self._relay(entries, body)

    async def _relay(self, entries: AsyncIterator[AnswerEvent], send: Send) -> None:
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

    async def _fail(self, error: Exception, refusals: ErrorMetrics, send: Send) -> None:
        """Tell the client, inside the stream."""
        if self.telling.comes_back and isinstance(error, DrainingError):
            return
        if problem_of(error) is None:
            _LOG.error("stream broke off", answer=self.answer, exc_info=error)
        refusals.note(problem_of(error) or UNKNOWN)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SEND):
                await _chunk(send, _joined(self.telling.broken_off(error)))


def _joined(made: list[SseFrame], event_id: Position | None = None) -> bytes:
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
