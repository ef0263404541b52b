"""One WebSocket: its messages wait in an inbox, and its frames are sent one at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.answering.drain import background
from gateway.answering.timings import TIMINGS
from gateway.auth.clients import Clients
from gateway.errors import ClientGoneError
from gateway.http.responses import error_response
from gateway.http.streaming import server_receive, server_send
from wire.jobs import Client

# The number of messages that a client may send ahead. Reading continues meanwhile, to see pongs and the disconnect.
_AHEAD = 256
_POLICY_VIOLATION = 1008
_SERVICE_RESTART = 1012


async def identify_or_deny(clients: Clients, socket: WebSocket) -> Client | None:
    """Return the client of a socket that isn't accepted yet; None after the error was sent as an HTTP response."""
    try:
        return clients.identify(socket)
    except HTTPException as error:
        await socket.send_denial_response(await error_response(socket, error))
        return None


class Inbox:
    """Messages that wait for their turn, bounded in number and in size (characters)."""

    def __init__(self, size: int) -> None:
        self._size = size
        # No deque and no event, which has one: an empty one takes half a kilobyte.
        self._waiting: list[str] = []
        self._reader: asyncio.Future[None] | None = None
        self._sealed = False
        self._closed = False

    def put(self, message: str) -> bool:
        """Add a message; return False if there is no room for it."""
        if self._sealed:
            return True
        if len(self._waiting) >= _AHEAD or sum(map(len, self._waiting)) > self._size:
            return False
        self._waiting.append(message)
        self._wake()
        return True

    def seal(self) -> None:
        """Drop messages that come from now on; those that wait are still read."""
        self._sealed = True
        self._wake()

    def close(self) -> None:
        """End the messages at once; those that wait are not read."""
        self._closed = True
        self._wake()

    async def messages(self) -> AsyncIterator[str]:
        """Yield the messages in order, until the inbox is closed, or sealed and empty."""
        while True:
            while not (self._waiting or self._sealed or self._closed):
                self._reader = asyncio.get_running_loop().create_future()
                await self._reader
            if self._closed or not self._waiting:
                return
            yield self._waiting.pop(0)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class WebSocketConnection:
    """An accepted socket. Messages may be `max_message` bytes long; its last frames may take `last_send_limit` seconds.

    When the client has gone, `gone` is set and `on_close` is called.
    """

    def __init__(
        self,
        socket: WebSocket,
        max_message: int,
        on_close: Callable[[], None],
        *,
        last_send_limit: float = TIMINGS.last_send_limit,
    ) -> None:
        self._send = server_send(socket.scope, socket.send)
        self._receive = server_receive(socket.scope, socket.receive)
        self._inbox = Inbox(2 * max_message)
        self._on_close: Callable[[], None] | None = on_close
        self._last_send_limit = last_send_limit
        self._sending = asyncio.Lock()
        self.gone = False
        self._overflow = False

    @asynccontextmanager
    async def messages(self) -> AsyncIterator[AsyncIterator[str]]:
        """Read the client's messages during the body; they end when it left or, after `seal`, with the last one.

        A client that left ends the body without an error. One that is still connected gets a close frame: the gateway
        restarts.
        """
        with contextlib.suppress(ClientGoneError):
            async with background(self._read()):
                yield self._inbox.messages()
                if not self.gone:
                    await self._close(_SERVICE_RESTART)
        if self._overflow:
            await self._close(_POLICY_VIOLATION, "too many messages sent ahead")
        # The callback's owner refers to this connection: both would stay until the next garbage collection.
        self._on_close = None

    def seal(self) -> None:
        """Answer what has arrived, and drop what still comes: the gateway drains."""
        self._inbox.seal()

    async def send(self, frame: bytes) -> None:
        """Send one frame; waits for a client that is slow. Raises ClientGoneError."""
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
                # A binary frame is answered like any other that holds nothing readable.
                if not self._inbox.put(message.get("text") or ""):
                    self._overflow = True
                    break
        finally:
            self._leave()

    def _leave(self) -> None:
        self.gone = True
        self._inbox.close()
        if self._on_close is not None:
            self._on_close()

    async def _close(self, code: int, reason: str | None = None) -> None:
        """Close the socket, if the client still takes that."""
        with contextlib.suppress(WebSocketDisconnect, OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(self._last_send_limit), self._sending:
                await self._send({"type": "websocket.close", "code": code, "reason": reason or ""})
