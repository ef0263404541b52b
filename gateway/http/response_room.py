"""Room in this process's memory for large responses and parts of streams, until their clients have taken them.

A client that reads nothing on hundreds of connections would otherwise have as many of them there.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.answering.timings import TIMINGS
from gateway.errors import ClientGoneError
from gateway.http import responses
from gateway.http.body import SLOWEST, BodyRoom
from wire.jobs import Client
from wire.threads import LARGE

# Bytes of all that are made or sent: four of the largest, which are pictures in base64, or 24 results of calls.
_ROOM = 192 * 1024 * 1024
# Bytes that are handed to the connection at a time.
_PIECE = 64 * 1024
# Holds room for so many bytes that are sent meanwhile. ClientFullError, as ResponseRoom.admit.
Admit = Callable[[int], AbstractContextManager[None]]


class HeldRoom:
    """The room of one response. A context manager: what no response has got is given back at its end."""

    def __init__(self, room: BodyRoom, client: str, time_limit: float) -> None:
        self._room = room
        self._client = client
        self._time_limit = time_limit
        self._held = AsyncExitStack()

    async def __aenter__(self) -> "HeldRoom":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._held.aclose()

    async def take(self, size: int) -> None:
        """Wait until there is room for `size` bytes; little needs none."""
        if size > LARGE:
            await self._held.enter_async_context(self._room.take(self._client, size))

    def respond(self, body: bytes) -> Response:
        """Return a success, which takes the room over if it is large."""
        plain = responses.ok(body)
        return _LargeResponse(plain, self._held.pop_all(), self._time_limit) if is_large(plain) else plain


@dataclass(frozen=True)
class ResponseRoom:
    """Room for all of them. However much one client has, it leaves as much as it takes.

    A client has `time_limit` seconds to take one, and more for each byte: it may be slow, but not stop.
    """

    time_limit: float = TIMINGS.body_limit
    _room: BodyRoom = field(default_factory=lambda: BodyRoom(_ROOM), init=False)

    def hold(self, client: Client) -> HeldRoom:
        """Return what holds the room of one response to a client."""
        return HeldRoom(self._room, client.name, self.time_limit)

    def admit(self, client: Client, made: Response) -> Response:
        """Return a response that is made already, with room if it is large.

        ClientFullError if the client has too many that it doesn't take; it may always have one.
        """
        if not is_large(made):
            return made
        held = AsyncExitStack()
        held.enter_context(self._room.take_now(client.name, len(made.body)))
        return _LargeResponse(made, held, self.time_limit)

    def frames(self, client: Client) -> Admit:
        """Return what holds room for each large part of a client's streams, and of its sockets' answers."""
        return partial(self._admit_frame, client.name)

    def _admit_frame(self, client: str, size: int) -> AbstractContextManager[None]:
        return self._room.take_now(client, size) if size > LARGE else nullcontext()


def is_large(response: Response) -> bool:
    """Return whether a whole response needs room."""
    return len(response.body) > LARGE


class _LargeResponse(Response):
    """A response that is sent piece by piece, and gives its room back behind the last one."""

    def __init__(self, plain: Response, held: AsyncExitStack, time_limit: float) -> None:
        super().__init__(plain.body, plain.status_code)
        self.raw_headers = plain.raw_headers
        self._held = held
        self._time_limit = time_limit + len(plain.body) / SLOWEST

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve ASGI. ClientGoneError for a client that is too slow."""
        async with self._held:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                async with asyncio.timeout(self._time_limit):
                    for piece in self._pieces():
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
            except TimeoutError:
                raise ClientGoneError from None
            await send({"type": "http.response.body", "body": b""})

    def _pieces(self) -> Iterator[bytes]:
        for offset in range(0, len(self.body), _PIECE):
            yield bytes(self.body[offset : offset + _PIECE])
