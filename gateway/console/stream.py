"""What a console is told while it is open, as server-sent events: how things stand, counts, what happens."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.answering.drain import ActiveRequests, background
from gateway.console.admins import Admins
from gateway.console.poller import Minutes, Poller, Seen
from gateway.http import sse
from gateway.ops.metrics import FIRST_TEXT_BUCKETS
from wire.version import VERSION

_MOST_CONSOLES = 32
# What hasn't changed is told again after so long, in seconds: so a page notices a line that is dead.
_AGAIN = 10.0
# How long a console may take what it is sent, in seconds.
_SEND_LIMIT = 25.0
_HEADERS = [(name.encode(), value.encode()) for name, value in sse.HEADERS.items()]


@dataclass
class Told:
    """What one console has been told."""

    state: bytes = b""
    at: float = float("-inf")
    minutes: Minutes = field(default_factory=dict)
    event: str = ""

    def frames(self, seen: Seen, now: float) -> Iterable[bytes]:
        """What it has to be told at the loop time `now`."""
        if seen.away:
            yield frame("away", {})
            self.at = float("-inf")
            return
        if seen.state != self.state or now - self.at >= _AGAIN:
            self.state, self.at = seen.state, now
            yield frame("state", {"now": seen.now, "state": msgspec.Raw(seen.state)})
        news = {minute: counts for minute, counts in seen.minutes.items() if self.minutes.get(minute) != counts}
        if news:
            self.minutes = seen.minutes
            yield frame("minutes", {str(minute): counts for minute, counts in news.items()})
        events = [{"id": event.id, **event.fields} for event in seen.events if _later(event.id, self.event)]
        if events:
            self.event = seen.events[-1].id
            yield frame("events", events)


def _later(one: str, other: str) -> bool:
    return not other or tuple(map(int, one.split("-"))) > tuple(map(int, other.split("-")))


def frame(event: str, data: Any) -> bytes:
    """One event."""
    return b"event: %s\n%s" % (event.encode(), sse.encode_event(msgspec.json.encode(data)))


@dataclass(frozen=True)
class ConsoleStream:
    """The endpoint."""

    admins: Admins
    watch: Poller
    active_requests: ActiveRequests

    async def live(self, request: Request) -> "Response | LiveStream":
        """HTTPException 401, 429."""
        admin = self.admins.of(request)
        if request.method == "HEAD":
            return Response(headers=sse.HEADERS)
        if self.watch.watchers >= _MOST_CONSOLES:
            raise HTTPException(429, headers={"retry-after": "10"})
        return LiveStream(self.watch, self.active_requests, admin)


@dataclass(frozen=True)
class LiveStream:
    """The response. It ends with the client, or with the drain of the gateway: the page goes on at another one."""

    watch: Poller
    active_requests: ActiveRequests
    admin: str

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        bell, over = asyncio.Event(), asyncio.Event()

        def end() -> None:
            over.set()
            bell.set()

        async def watch_client() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            end()

        with self.active_requests.track_socket(end), self.watch.watching(bell), contextlib.suppress(TimeoutError):
            async with background(watch_client()):
                await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
                hello = {"admin": self.admin, "version": VERSION, "buckets": FIRST_TEXT_BUCKETS}
                await _chunk(send, frame("hello", hello))
                await self._relay(send, bell, over)
            await send({"type": "http.response.body", "body": b""})

    async def _relay(self, send: Send, bell: asyncio.Event, over: asyncio.Event) -> None:
        told, loop = Told(), asyncio.get_running_loop()
        while not over.is_set():
            await bell.wait()
            bell.clear()
            if frames := b"".join(told.frames(self.watch.seen, loop.time())):
                await _chunk(send, frames)


async def _chunk(send: Send, data: bytes) -> None:
    """TimeoutError."""
    async with asyncio.timeout(_SEND_LIMIT):
        await send({"type": "http.response.body", "body": data, "more_body": True})
