"""A request's body, within its limits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from weakref import WeakValueDictionary

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.answering.timings import TIMINGS
from gateway.auth.clients import Clients
from gateway.errors import BodyEncodingError
from wire.errors import ClientFullError
from wire.fair_room import FairRoom
from wire.threads import LARGE, run_sized

# Bytes a second below which a large body is given up, whoever sends it.
SLOWEST = 64 * 1024
# How much of one client may wait for room: who waits holds a connection, and what its request has sent ahead.
MOST_WAITING = 256
# Seconds after which a client that took all of its room may come back.
_COME_BACK = 1
# The longest part of an encoding's name that its error contains.
_LONGEST_NAME = 64
# How many encodings are looked at one by one.
_MOST_NAMES = 8
T = TypeVar("T")


class BodyRoom:
    """Room in this process's memory for what is being read or parsed, such as `size` bytes for all large bodies.

    However much one client sends, it leaves as much room as it takes: others' bodies don't wait for slow ones of its.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._room = FairRoom()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def take(self, client: str, size: int) -> AbstractAsyncContextManager[None]:
        """Return what waits until there is so much room for a client, and holds it during the body.

        ClientFullError if too much of this client waits: who hangs up is noticed only once it has its room.
        """
        if self._room.count_waiting(client) >= MOST_WAITING:
            raise ClientFullError(_COME_BACK)
        return self._room.take(client, size, self._size)

    def turn(self, client: str) -> asyncio.Lock:
        """Return the turn of a client's work on what it has room for: few threads work, and one of a client at most."""
        turn = self._turns.get(client)
        if turn is None:
            turn = self._turns[client] = asyncio.Lock()
        return turn

    def take_now(self, client: str, size: int) -> AbstractContextManager[None]:
        """Return what holds so much room for a client. ClientFullError if what it has already leaves too little."""
        return self._room.take_now(client, size, self._size)


@dataclass(frozen=True)
class BodyReader:
    """Reads bodies of up to `max_bytes`, large ones when there is `room` for the client's.

    Room and the next bytes may take `time_limit` seconds.
    """

    max_bytes: int
    time_limit: float = TIMINGS.body_limit
    room: BodyRoom | None = None
    clients: Clients = field(default_factory=Clients)

    async def read(self, request: Request) -> bytes:
        """Return the body, whether or not its length was announced.

        Raises HTTPException 413 and 408, BodyEncodingError, ClientFullError, DrainingError.
        """
        return await self.parse(request, bytes)

    async def parse(self, request: Request, parse: Callable[[bytes], T]) -> T:
        """Return what `parse` makes of the body; of a large one in a thread. Raises as `read`, and as `parse`."""
        async with self.parsed(request, parse) as parsed:
            return parsed

    @asynccontextmanager
    async def parsed(self, request: Request, parse: Callable[[bytes], T]) -> AsyncIterator[T]:
        """Yield what `parse` makes of the body, as `parse` does.

        What is made of a large one takes many times its bytes: until it is done with, the client's others wait.
        """
        _check_encoding(request)
        announced = request.headers.get("content-length", "")
        expected = int(announced) if announced.isdecimal() else self.max_bytes
        if announced and expected > self.max_bytes:
            raise HTTPException(413)
        async with contextlib.AsyncExitStack() as stack:
            if self.room is None or expected <= LARGE:
                body = await self._receive(request)
            else:
                body = await self._receive_large(request, expected, self.room, stack)
            if self.clients.keys is not None:
                # A body may take minutes, in which the key was removed. An address isn't noted twice.
                self.clients.identify(request)
            parsed = await run_sized(len(body), parse, body)
            del body
            yield parsed

    async def _receive_large(
        self, request: Request, size: int, room: BodyRoom, stack: contextlib.AsyncExitStack
    ) -> bytes:
        """Return a large body, with its room and its client's turn on the stack."""
        client = self.clients.identify(request).name
        try:
            async with asyncio.timeout(self.time_limit):
                await stack.enter_async_context(room.take(client, size))
        except TimeoutError:
            raise _slow() from None
        body = await self._receive(request)
        try:
            async with asyncio.timeout(self.time_limit):
                await stack.enter_async_context(room.turn(client))
        except TimeoutError:
            raise ClientFullError(_COME_BACK) from None
        return body

    async def _receive(self, request: Request) -> bytes:
        body, loop = bytearray(), asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with request.state.active_requests.read(), asyncio.timeout(self.time_limit) as timeout:
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self.max_bytes:
                        raise HTTPException(413)
                    # Neither silent nor so slow that its memory is held for long.
                    timeout.reschedule(min(loop.time(), begun + len(body) / SLOWEST) + self.time_limit)
        except TimeoutError:
            raise _slow() from None
        await request.state.turn()
        return bytes(body)


def _check_encoding(request: Request) -> None:
    """Raise BodyEncodingError for a body that isn't sent as it is."""
    encoding = ", ".join(request.headers.getlist("content-encoding")).strip()
    names = encoding.split(",", _MOST_NAMES)
    if any(name.strip().lower() not in ("", "identity") for name in names):
        raise BodyEncodingError(encoding[:_LONGEST_NAME])


def _slow() -> HTTPException:
    return HTTPException(408, headers={"connection": "close"})


class _LingeringResponse(Response):
    """A refusal that waits behind its body until the client has sent its own, for up to `time_limit` seconds."""

    def __init__(self, refusal: Response, time_limit: float) -> None:
        super().__init__(refusal.body, refusal.status_code)
        self.raw_headers = refusal.raw_headers
        self._time_limit = time_limit

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await self._drop_body(receive)
        await send({"type": "http.response.body", "body": b""})

    async def _drop_body(self, receive: Receive) -> None:
        """Read the rest of the body, whose bytes nobody keeps."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._time_limit):
                while (await receive()).get("more_body"):
                    pass


def linger(refusal: Response, time_limit: float) -> Response:
    """Return the refusal so that the client of a body that isn't read can read it, within `time_limit` seconds.

    Whoever sends first and reads then would lose it: a connection that is closed with bytes unread is reset.
    """
    return _LingeringResponse(refusal, time_limit) if refusal.status_code in (413, 414, 415, 431) else refusal
