"""The live stream of an open console, as server-sent events: a snapshot of the system, counts, and what happens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sse_starlette import EventSourceResponse
from sse_starlette.sse import AppStatus
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.answering.drain import ActiveRequests
from gateway.answering.timings import TIMINGS
from gateway.auth.api_keys import ApiKey
from gateway.console.admins import Admins
from gateway.console.poller import ConsoleSnapshot, MinuteCounts, Poller
from gateway.http import sse
from gateway.ops.metrics import FIRST_TEXT_BUCKETS
from wire.version import VERSION

_MAX_CONSOLES = 32
# An unchanged snapshot is sent again after this many seconds, so that a page notices a dead connection.
_REPEAT = 10.0

# sse-starlette ends its streams by itself once a uvicorn server of the process got a signal: without the last chunk,
# and for good, since its flag is never cleared. Here the drain ends them (ActiveRequests), each with its last chunk.
AppStatus.enable_automatic_graceful_drain = False


@dataclass
class SentState:
    """What has been sent to one console."""

    state: bytes = b""
    at: float = float("-inf")
    minutes: MinuteCounts = field(default_factory=dict)
    event: str = ""

    def render_changes(self, snapshot: ConsoleSnapshot, now: float) -> Iterable[bytes]:
        """Yield the events that the console has to get at the loop time `now`."""
        if snapshot.away:
            yield encode_event("away", {"reasons": snapshot.reasons})
            self.at = float("-inf")
            return
        if snapshot.state != self.state or now - self.at >= _REPEAT:
            self.state, self.at = snapshot.state, now
            yield encode_event("state", {"now": snapshot.now, "state": msgspec.Raw(snapshot.state)})
        changed = {minute: counts for minute, counts in snapshot.minutes.items() if self.minutes.get(minute) != counts}
        if changed:
            self.minutes = snapshot.minutes
            yield encode_event("minutes", {str(minute): counts for minute, counts in changed.items()})
        events = [{"id": event.id, **event.fields} for event in snapshot.events if _is_later(event.id, self.event)]
        if events:
            self.event = snapshot.events[-1].id
            yield encode_event("events", events)


def _is_later(event_id: str, other: str) -> bool:
    return not other or tuple(map(int, event_id.split("-"))) > tuple(map(int, other.split("-")))


def encode_event(name: str, data: Any) -> bytes:
    """Return one server-sent event with `data` as JSON."""
    return sse.encode_event(msgspec.json.encode(data), name=name)


@dataclass(frozen=True)
class ConsoleStream:
    """The endpoint. A console may take `send_limit` seconds to read one chunk."""

    admins: Admins
    poller: Poller
    active_requests: ActiveRequests
    send_limit: float = TIMINGS.console_send_limit

    async def live(self, request: Request) -> "Response | ConsoleStreamResponse":
        """Send server-sent events, each with JSON: `hello`, `state`, `minutes`, `events`, or `away` while Redis is.

        HTTPException 401, 429.
        """
        key = self.admins.identify(request)
        if request.method == "HEAD":
            return Response(headers=sse.HEADERS)
        if self.poller.subscribers >= _MAX_CONSOLES:
            raise HTTPException(429, headers={"retry-after": "10"})
        return ConsoleStreamResponse(self.poller, self.active_requests, self.admins, key, self.send_limit)


@dataclass(frozen=True)
class ConsoleStreamResponse:
    """The response. It ends with the client, with its key, or with the gateway's drain.

    Then the page connects again, and is refused where its key is gone.
    """

    poller: Poller
    active_requests: ActiveRequests
    admins: Admins
    key: ApiKey
    send_limit: float = TIMINGS.console_send_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream as an ASGI application."""
        changed, drained = asyncio.Event(), asyncio.Event()

        def drain() -> None:
            drained.set()
            changed.set()

        response = EventSourceResponse(
            self._events(changed, drained), headers=sse.HEADERS, ping=0, send_timeout=self.send_limit
        )
        # It concerns one connection alone, and is forbidden in HTTP/2.
        del response.headers["connection"]
        with (
            self.active_requests.track_socket(drain),
            self.poller.subscribe(changed),
            contextlib.suppress(TimeoutError),
        ):
            await response(scope, receive, send)

    async def _events(self, changed: asyncio.Event, drained: asyncio.Event) -> AsyncIterator[bytes]:
        """Yield chunks of events until the drain, or until the file no longer lists the key."""
        yield encode_event("hello", {"admin": self.key.name, "version": VERSION, "buckets": FIRST_TEXT_BUCKETS})
        sent, loop = SentState(), asyncio.get_running_loop()
        while not drained.is_set():
            await changed.wait()
            changed.clear()
            if not self.admins.is_valid(self.key):
                return
            if events := b"".join(sent.render_changes(self.poller.snapshot, loop.time())):
                yield events
