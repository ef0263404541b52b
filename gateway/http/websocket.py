"""One WebSocket: its messages wait in an inbox, and its frames are sent one at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.answering.drain import background
from gateway.errors import ClientGoneError
from gateway.http.middleware import server_receive, server_send

# How many messages a client may send ahead. Reading goes on meanwhile: pongs and the client's leaving are to be seen.
_AHEAD = 256
_TOO_MUCH = 1008
_GOING_DOWN = 1012
_LAST_SEND = 5.0


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
        """Add a message; False if there is no room for it."""
        if self._sealed:
            return True
        if len(self._waiting) >= _AHEAD or sum(map(len, self._waiting)) > self._size:
            return False
        self._waiting.append(message)
        self._wake()
        return True

    def seal(self) -> None:
        """What is here will be asked for; what still comes is dropped."""
        self._sealed = True
        self._wake()

    def close(self) -> None:
        """No more messages come, and none of those here will be asked for."""
        self._closed = True
        self._wake()

    async def messages(self) -> AsyncIterator[str]:
        """The messages in order, until the inbox is closed, or sealed and empty."""
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
    """An accepted socket. Messages may be `max_message` bytes long.

    When nobody is there any more to answer to, `gone` is set and `left` is called.
    """

    def __init__(self, socket: WebSocket, max_message: int, left: Callable[[], None]) -> None:
        self._send = server_send(socket.scope, socket.send)
        self._receive = server_receive(socket.scope, socket.receive)
        self._inbox = Inbox(2 * max_message)
        self._left: Callable[[], None] | None = left
        self._sending = asyncio.Lock()
        self.gone = False
        self._overflow = False

    @asynccontextmanager
    async def messages(self) -> AsyncIterator[AsyncIterator[str]]:
        """The client's messages, read as long as the body runs. They end when it left, or, after `seal`, with the last.

        That the client left ends the body without an error. One that is still there is told that the gateway goes down.
        """
        with contextlib.suppress(ClientGoneError):
            async with background(self._read()):
                yield self._inbox.messages()
                if not self.gone:
                    await self._close(_GOING_DOWN)
        if self._overflow:
            await self._close(_TOO_MUCH, "too many messages sent ahead")
        # Who is told has this connection: they would keep each other until the collector comes.
        self._left = None

    def seal(self) -> None:
        """The gateway goes down: what came until now still counts, and nothing more."""
        self._inbox.seal()

    async def send(self, frame: bytes) -> None:
        """Send one frame; waits for a client that is slow. ClientGoneError."""
        async with self._sending:
            try:
                await self._send({"type": "websocket.send", "text": frame.decode()})
            except (OSError, RuntimeError):
                # What uvicorn says of a socket that the other side has closed, and of one that this side has.
                raise ClientGoneError from None

    async def send_last(self, frame: bytes) -> None:
        """Send outside a turn's limit: whoever doesn't take one frame within some seconds counts as gone."""
        try:
            async with asyncio.timeout(_LAST_SEND):
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
        if self._left is not None:
            self._left()

    async def _close(self, code: int, reason: str | None = None) -> None:
        """Hang up, if the client still takes that."""
        with contextlib.suppress(WebSocketDisconnect, OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(_LAST_SEND), self._sending:
                await self._send({"type": "websocket.close", "code": code, "reason": reason or ""})
