"""Server-sent events: the framing, and the response that streams an answer."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from gateway.answering.drain import ActiveRequests, background
from gateway.answering.recalled import RecalledAnswer
from gateway.answering.timings import TIMINGS, Timings
from gateway.errors import ClientGoneError, DrainingError
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.long_steps import CATCH_UP, ClientSteps
from gateway.http.response_room import Admit
from gateway.http.streaming import run_stream, server_send
from wire.answer_reader import AnswerEvent, AnswerReader
from wire.errors import AnswerLostError, ClientFullError
from wire.messages import Event
from wire.threads import LARGE

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    # A proxy that compresses a stream holds it back to its end.
    "cache-control": "no-store, no-transform",
    "x-accel-buffering": "no",
}
_RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_RETRY_MS = 1000
# The events that are sent in one chunk at most, and the bytes from which no more are added.
_BATCH, _BATCH_BYTES = 64, LARGE // 2
# How many times as much memory the end of an answer takes: it is read, and at /v1/responses sent, as a whole again.
_MADE = 8
_EVENT_ID = re.compile(r"(s\d{1,4}-[0-9a-f]{32})\.(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class EventId:
    """The id of an event: a place in an answer."""

    answer: str
    seq: int

    def __str__(self) -> str:
        return f"{self.answer}.{self.seq}"


class SseFrame(NamedTuple):
    """One event as a client gets it: a line of data, and the event's name if it has one."""

    data: bytes
    name: str = ""


class Presenter(Protocol):
    """Renders the events of one answer as the frames of one protocol, for one client."""

    # Whether the answer has ended, or the client has all that it wants of it.
    finished: bool
    # Whether the client reconnects by itself when this gateway drains.
    reconnects: bool

    def preamble(self, first: Event | None) -> list[SseFrame]:
        """Return what comes before the answer. `first` is its first event, if there is one yet.

        An error that it raises is sent as a response of its own instead of the stream.
        """
        ...

    def sign(self, last: EventId | None) -> bytes:
        """Return a sign of life, for a client that has got events up to `last`, if they have ids; b"" for none."""
        ...

    async def render(self, event: Event) -> list[SseFrame]:
        """Return the frames of `event`."""
        ...

    def render_error(self, error: Exception) -> list[SseFrame]:
        """Return the frames that end a stream whose answer can't be followed any more."""
        ...


def accepts_events(request: Request) -> bool:
    """Return whether the client names event streams in its Accept, as an EventSource does."""
    return "text/event-stream" in ", ".join(request.headers.getlist("accept")).lower()


def parse_event_id(last_event_id: str) -> EventId | None:
    """Return the place that a Last-Event-ID header names; None if it is none of ours."""
    match = _EVENT_ID.fullmatch(last_event_id)
    return EventId(match[1], int(match[2])) if match else None


def encode_event(data: bytes, event_id: EventId | None = None, name: str = "", *, retry: bool = False) -> bytes:
    """Return one event; `data` is one line. `retry`: it also sets the time to reconnect.

    All fields but the name are behind the data: a reader that keeps an id at once must not have that of an event that
    is cut off.
    """
    head = b"event: %s\n" % name.encode() if name else b""
    tail = b"retry: %d\n" % _RETRY_MS if retry else b""
    if event_id is not None:
        tail += b"id: %s\n" % str(event_id).encode()
    return b"%sdata: %s\n%s\n" % (head, data, tail)


def encode_comment(event_id: EventId | None) -> bytes:
    """Return a sign of life that is no event.

    Where events have ids no empty line ends it: readers that keep the last id take an empty line for an event.
    """
    return b": ping\n\n" if event_id is None else b": ping\n"


@dataclass(slots=True)
class AnswerStream:
    """A response that streams one answer.

    Errors before the first byte are raised; later ones are sent in the stream. An `event_source` also gets ids. The
    headers wait for the first event for up to `first_event_wait` seconds. Everything up to the seq `after` is left out,
    and the preamble for a client that has `resumed`. `on_hang_up` is called if the client leaves before the end.
    What is large waits for its client in the room that `admit` gives; without room the stream ends, to be resumed.
    One that may begin `behind` what there is of its answer already takes its client's turn while it catches up, and has
    room for what is made of all that it has sent: a client may ask for one answer many times.
    """

    active_requests: ActiveRequests
    time_limit: float
    subscription: AbstractAsyncContextManager[AnswerReader | RecalledAnswer]
    answer: str
    presenter: Presenter
    admit: Admit
    event_source: bool
    first_event_wait: float = 0.0
    after: int = 0
    resumed: bool = False
    timings: Timings = TIMINGS
    on_hang_up: Callable[[], None] | None = None
    behind: bool = False
    # The room of a stream that is behind, and the bytes that it has sent beyond that.
    _held: contextlib.ExitStack | None = field(default=None, init=False)
    _beyond: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        body = server_send(scope, send)
        steps = self._stream(scope, receive, send, body)
        finish = partial(self._finish, body, scope["state"]["error_metrics"])
        if self.behind:
            self._held = contextlib.ExitStack()
            finish = partial(_catch_up, scope["state"]["steps"], self._held, finish)
        await run_stream(scope, steps, finish)

    async def _finish(self, send: Send, metrics: ErrorMetrics, steps: AsyncGenerator[None, None]) -> None:
        try:
            await anext(steps, None)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - it is sent in the stream
            await self._fail(error, metrics, send)
        else:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.timings.last_send_limit):
                await send({"type": "http.response.body", "body": b""})

    async def _stream(self, scope: Scope, receive: Receive, send: Send, body: Send) -> AsyncGenerator[None, None]:
        """Subscribe, then stream: at the `yield` between the two the middleware returns; see `run_stream`.

        `send` starts the response, `body` sends what follows.

        An open stream keeps this frame for as long as it lasts, so it drops what it no longer needs.
        """
        async with (
            self.active_requests.track(self.time_limit, receive=receive, on_hang_up=self.on_hang_up),
            self.subscription as events,
        ):
            self.answer = scope["state"]["answer"] = events.answer
            first = await events.peek(self.first_event_wait) if self.first_event_wait else None
            # Who resumes has had the beginning: what fails then is an event of the stream.
            preamble = self.presenter.preamble(first.event if first and not self.resumed else None)
            if first is not None:
                scope["state"]["provider"] = first.event.provider
            del scope, receive, first
            yield
            await send({"type": "http.response.start", "status": 200, "headers": list(_RAW_HEADERS)})
            del send
            if preamble and not self.resumed:
                # An EventSource that has an id resumes instead of asking again.
                await self._send_chunk(body, _join(preamble, self._last_id(), retry=self.event_source))
            del preamble
            async with background(self._ping(body)) if self._sign() else contextlib.nullcontext():
                last = await self._relay(events, body)
            # Nothing waits between this and the end of the request: its client seems to have left from here on.
            if len(last) > LARGE:
                await self._send_chunk(body, last)
                last = b""
            await body({"type": "http.response.body", "body": last})

    def _last_id(self) -> EventId | None:
        return EventId(self.answer, self.after) if self.event_source else None

    def _sign(self) -> bytes:
        return self.presenter.sign(self._last_id())

    async def _relay(self, events: AsyncIterator[AnswerEvent], send: Send) -> bytes:
        """Send the frames of the answer, and return the last ones, with which the response ends.

        What arrived together is sent together, so a stream that is behind catches up.
        """
        waiting: list[bytes] = []
        reached, size = self.after, 0
        async for entry in events:
            frames = await self.presenter.render(entry.event)
            if frames and entry.seq > self.after:
                reached = entry.seq
                waiting.append(_join(frames, EventId(self.answer, reached) if self.event_source else None))
                size += len(waiting[-1])
            if self.presenter.finished:
                return b"".join(waiting)
            if waiting and (not entry.more or len(waiting) >= _BATCH or size >= _BATCH_BYTES):
                if self._held is not None:
                    self._hold(size, self._held)
                await self._send_chunk(send, b"".join(waiting))
                self.after, size = reached, 0
                waiting.clear()
        raise AnswerLostError

    def _hold(self, size: int, held: contextlib.ExitStack) -> None:
        """Take room for so many bytes more, once they are large together. ClientFullError."""
        self._beyond += size
        if self._beyond > LARGE:
            held.enter_context(self.admit(_MADE * self._beyond))
            self._beyond = 0

    async def _ping(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self.timings.sse_ping_every)
            await self._send_chunk(send, self._sign())

    async def _fail(self, error: Exception, metrics: ErrorMetrics, send: Send) -> None:
        """Send an error inside the stream."""
        if self.presenter.reconnects and isinstance(error, DrainingError | ClientFullError):
            return
        metrics.record(error, answer=self.answer)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.timings.last_send_limit):
                await self._send_chunk(send, _join(self.presenter.render_error(error)))

    async def _send_chunk(self, send: Send, data: bytes) -> None:
        """Send one chunk, which programs may read as such; what is large is then waited for until it is taken."""
        if len(data) <= LARGE:
            await _send_data(send, data)
            return
        with self.admit(len(data)):
            await _send_data(send, data)
            # The server takes more only once little of it is left.
            await _send_data(send, b"")


async def _catch_up(
    client: ClientSteps,
    held: contextlib.ExitStack,
    finish: Callable[[AsyncGenerator[None, None]], Coroutine[None, None, None]],
    steps: AsyncGenerator[None, None],
) -> None:
    """Run a stream so that its client rests after what takes long, and give its room back.

    It rests after no deltas, once it has caught up.
    """
    with held:
        await client.run(finish(steps), CATCH_UP)


async def _send_data(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


def _join(frames: list[SseFrame], event_id: EventId | None = None, *, retry: bool = False) -> bytes:
    if len(frames) == 1:
        return encode_event(frames[0].data, event_id, frames[0].name, retry=retry)
    # Only the last frame has the event's id: what was cut off within an event is sent again as a whole.
    *others, last = frames
    parts = [encode_event(frame.data, None, frame.name) for frame in others]
    return b"".join([*parts, encode_event(last.data, event_id, last.name, retry=retry)])
