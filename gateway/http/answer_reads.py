"""Requests that read all that is kept of an answer, or of several: a few at a time, since each may take much memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from gateway.answering.timings import TIMINGS
from gateway.auth.clients import Clients
from gateway.http.body import BodyRoom
from gateway.http.large_read import LOADED, LargeRead
from gateway.http.response_room import ResponseRoom, is_large
from wire.jobs import Client

# How many of them read at a time. Each may take several times MAX_BODY.
_AT_ONCE = 16
# Seconds that one may take, with its wait for a place.
LONGEST_READ = 120.0
T = TypeVar("T")


@dataclass(frozen=True)
class AnswerReads:
    """The places for such requests. However many one client has, it leaves as many as it takes.

    `sending` is the room for what they, and others, make of what they read. What is large waits for its client's turn,
    and for room, for up to `time_limit` seconds.
    """

    clients: Clients
    time_limit: float = TIMINGS.body_limit
    sending: ResponseRoom = field(default_factory=ResponseRoom, init=False)
    _room: BodyRoom = field(default_factory=lambda: BodyRoom(_AT_ONCE), init=False)

    _loaded: BodyRoom = field(default_factory=lambda: BodyRoom(LOADED), init=False)

    def place(self, client: Client) -> AbstractAsyncContextManager[None]:
        """Wait for a place for a client's request, and hold it during the body."""
        return self._room.take(client.name, 1)

    @asynccontextmanager
    async def reading(self, request: Request, client: Client) -> AsyncIterator[None]:
        """Hold a place during the body, and set `request.state.admit`, which what is read has to wait for."""
        large = LargeRead(self._loaded, client.name, request.state.turn, self.time_limit)
        async with self.place(client), large:
            request.state.admit = large.admit
            yield

    def bound(self, endpoint: Callable[[Request], Awaitable[T]]) -> Callable[[Request], Awaitable[T | Response]]:
        """Return an endpoint that is `reading` until its response is made, and then has room until that is taken.

        A client that hangs up waits no more, and has no place: it might send the next request at once.
        """

        async def bounded(request: Request) -> T | Response:
            client, active = self.clients.identify(request), request.state.active_requests
            watched = active.track(LONGEST_READ, accepted=True, receive=request.receive)
            async with watched, self.reading(request, client):
                return await self.sent(endpoint)(request)

        return bounded

    def sent(self, endpoint: Callable[[Request], Awaitable[T]]) -> Callable[[Request], Awaitable[T | Response]]:
        """Return an endpoint whose response, if it is whole and large, has room until its client has taken it."""

        async def sending(request: Request) -> T | Response:
            made = await endpoint(request)
            if not isinstance(made, Response) or not is_large(made):
                return made
            return self.sending.admit(self.clients.identify(request), made)

        return sending
