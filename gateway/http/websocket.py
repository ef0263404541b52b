"""One WebSocket: what its messages hold waits in an inbox, and its frames are sent one at a time."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Generic, TypeVar

from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.answering.drain import background
from gateway.answering.timings import TIMINGS
from gateway.auth.clients import Clients
from gateway.auth.socket_client import SocketClient
from gateway.errors import ClientGoneError
from gateway.http.long_steps import ClientSteps
from gateway.http.response_room import Admit
from gateway.http.responses import error_response
from gateway.http.streaming import server_receive, server_send
from wire.errors import ClientFullError
from wire.threads import LARGE

# The bytes of memory that messages take which a client has sent ahead; what it sends beyond them waits at its end.
AHEAD = 64 * 1024
_SERVICE_RESTART = 1012
# Closes a socket whose key is no longer valid.
POLICY_VIOLATION = 1008
T = TypeVar("T")


async def identify_or_deny(clients: Clients, socket: WebSocket) -> SocketClient | None:
    """Return the client of a socket that isn't accepted yet; None after the error was sent as an HTTP response."""
    try:
        return SocketClient(clients, socket)
    except HTTPException as error:
        await socket.send_denial_response(await error_response(socket, error))
        return None


class Inbox(Generic[T]):
    """What messages hold, while it waits for its turn. One reads, and one adds whenever there is room."""

    def __init__(self, size: int = AHEAD) -> None:
        self._left = size
        # No deque and no event, which has one: an empty one takes half a kilobyte.
        self._waiting: list[tuple[T, int]] = []
        self._waiter: asyncio.Future[None] | None = None
        self._sealed = False
        self._closed = False

    async def wait_for_room(self) -> None:
        """Return when a message may be added, however large it is, or would be dropped."""
        while self._left <= 0 and not (self._sealed or self._closed):
            await self._wait()

    def put(self, held: T, size: int) -> None:
        """Add what a message of `size` bytes holds."""
        if not self._sealed:
            self._waiting.append((held, size))
            self._left -= size
            self._wake()

    def seal(self) -> None:
        """Drop messages that come from now on; those that wait are still read."""
        self._sealed = True
        self._wake()

    def close(self) -> None:
        """End the messages at once; those that wait are not read."""
        self._closed = True
        self._wake()

    async def messages(self) -> AsyncIterator[T]:
        """Yield what the messages hold, in order, until the inbox is closed, or sealed and empty."""
        while True:
            while not (self._waiting or self._sealed or self._closed):
                await self._wait()
            if self._closed or not self._waiting:
                return
            held, size = self._waiting.pop(0)
            self._left += size
            self._wake()
            yield held

    async def _wait(self) -> None:
        """Wait for a change. Only one of both sides ever waits: for a message, or for room."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class WebSocketConnection(Generic[T]):
    """An accepted socket, whose last frames may take `last_send_limit` seconds.

    A large frame waits for its client in the room that `admit` gives; ClientFullError if there is none.
    `parse` returns what a message holds, and raises nothing: it is called as the message arrives, so that a large one
    with a short question doesn't wait, and isn't kept until that is answered. It is one of the client's `steps`: where
    its turn doesn't come, `refuse` returns what is held instead.
    When the client has gone, `gone` is set and `on_close` is called.
    """

    def __init__(
        self,
        socket: WebSocket,
        parse: Callable[[str], T],
        refuse: Callable[[Exception], T],
        on_close: Callable[[], None],
        admit: Admit,
        steps: ClientSteps,
        *,
        last_send_limit: float = TIMINGS.last_send_limit,
    ) -> None:
        self._send = server_send(socket.scope, socket.send)
        self._receive = server_receive(socket.scope, socket.receive)
        self._inbox: Inbox[T] = Inbox()
        self._parse: Callable[[str], T] | None = parse
        self._refuse: Callable[[Exception], T] | None = refuse
        self._on_close: Callable[[], None] | None = on_close
        self._admit = admit
        self.steps = steps
        self._last_send_limit = last_send_limit
        self._close_code = _SERVICE_RESTART
        self._sending = asyncio.Lock()
        self.gone = False

    @asynccontextmanager
    async def messages(self) -> AsyncIterator[AsyncIterator[T]]:
        """Read the client's messages during the body; they end when it left or, after `seal`, with the last one.

        A client that left ends the body without an error. One that is still connected gets a close frame, with the code
        of `seal`.
        """
        with contextlib.suppress(ClientGoneError):
            async with background(self._read()):
                yield self._inbox.messages()
                if not self.gone:
                    await self._close(self._close_code)
        # The callbacks' owner refers to this connection: both would stay until the next garbage collection.
        self._parse = self._refuse = self._on_close = None

    def seal(self, code: int = _SERVICE_RESTART) -> None:
        """Answer what has arrived, drop what still comes, and then close with `code`: by default the gateway drains."""
        self._close_code = code
        self._inbox.seal()

    async def send(self, frame: bytes) -> None:
        """Send one frame; waits for a client that is slow. Raises ClientGoneError, ClientFullError."""
        if len(frame) <= LARGE:
            await self._send_frame(frame)
            return
        with self._admit(len(frame)):
            await self._send_frame(frame)

    async def _send_frame(self, frame: bytes) -> None:
        async with self._sending:
            try:
                await self._send({"type": "websocket.send", "text": frame.decode()})
            except (OSError, RuntimeError):
                # uvicorn raises them for a socket that the other side has closed, and for one that this side has.
                raise ClientGoneError from None

    async def send_last(self, frame: bytes) -> None:
        """Send outside a request's time limit: a client that doesn't take one frame within seconds counts as gone."""
        try:
            async with asyncio.timeout(self._last_send_limit):
                await self.send(frame)
        except TimeoutError:
            self._leave()
            raise ClientGoneError from None

    async def _read(self) -> None:
        try:
            while (message := await self._receive())["type"] != "websocket.disconnect":
                await self._take(message.get("text") or "")
                del message
                # Hundreds may have arrived at once: others have their turn before the next one.
                await asyncio.sleep(0)
                await self._inbox.wait_for_room()
        finally:
            self._leave()

    async def _take(self, text: str) -> None:
        """Take a message; a binary one is answered like any other that holds nothing readable."""
        try:
            await self.steps.wait()
        except ClientFullError as error:
            if self._refuse is not None:
                self._inbox.put(self._refuse(error), sys.getsizeof(text))
        else:
            if self._parse is not None:
                self._inbox.put(self.steps.call(partial(self._parse, text)), sys.getsizeof(text))

    def _leave(self) -> None:
        self.gone = True
        self._inbox.close()
        if self._on_close is not None:
            self._on_close()

    async def _close(self, code: int) -> None:
        """Close the socket, if the client still takes that."""
        with contextlib.suppress(WebSocketDisconnect, OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(self._last_send_limit), self._sending:
                await self._send({"type": "websocket.close", "code": code, "reason": ""})
