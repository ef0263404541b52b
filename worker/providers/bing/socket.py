"""The WebSocket that EdgeGPT uses: it connects, reads and disconnects.

EdgeGPT builds the question and drives the exchange, but it waits without limit for a silent server, loses the final
frame after most failures and fails on some normal messages. So the frames are read here, and EdgeGPT gets a short
replacement for each: text arrived, the server pinged, the turn ended.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Literal, NoReturn

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError
from yarl import URL

from wire.reasons import Reason
from wire.threads import LARGE, run_sized
from worker.accounts.account import CookieAccount
from worker.errors import UpstreamError
from worker.providers import BeforeSend
from worker.providers.bing.errors import name_failure
from worker.providers.bing.frames import PING, REQUEST, outgoing_type, read_frames
from worker.providers.bing.reply import BingReply, ReplyUpdate

# The limit of a message, in bytes; real ones are far smaller.
MAX_MESSAGE = 4 * 1024 * 1024
# Seconds. EdgeGPT pings for every record that arrives in one second of every six: hundreds in a busy stream.
PING_INTERVAL = 1.0
# The largest number of messages for one question, with pings; real ones are a few thousand.
MOST_MESSAGES = 100_000
# Bytes of all of them: texts are cumulative, so that long answers have a hundred megabytes.
MOST_BYTES = 256 * 1024 * 1024
# Of the handshake's.
_LONGEST_HANDSHAKE = 4096
# How many messages are read at once, before whatever else the worker does has its turn.
_BURST = 16

# Exactly as EdgeGPT writes it.
_PING = '{"type": 6}\x1e'

_TEXT = aiohttp.WSMsgType.TEXT

_REPLACEMENTS = {
    ReplyUpdate.PING: '{"type":6}\x1e',
    # EdgeGPT ignores this and passes it on; it has no delimiter, since EdgeGPT would expect a record after one.
    ReplyUpdate.TEXT: "{}",
    ReplyUpdate.END: '{"type":2,"item":{"result":{},"messages":[{"contentOrigin":""}]}}\x1e',
}


class ChatHubSocket:
    """The connection of one question.

    `deadline`, in loop time, limits connecting and the handshake. `before_send` is awaited immediately before the
    question is written; its exception is kept as `veto` and raised unchanged. All other failures are UpstreamErrors.
    """

    def __init__(
        self,
        address: str,
        account: CookieAccount,
        tls: ssl.SSLContext,
        deadline: float,
        before_send: BeforeSend,
        reply: BingReply,
    ) -> None:
        self._address = URL(address, encoded=True)
        self._account = account
        self._tls = tls
        self._deadline = deadline
        self._before_send = before_send
        self._reply = reply
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse[Literal[False]] | None = None
        self._handshake_done = False
        self._received = self._bytes = 0
        self._pinged = 0.0
        self.closed = False
        self.veto: Exception | None = None

    async def open(self, headers: dict[str, str]) -> None:
        """Connect with `headers` and the account's cookies and proxy. aiohttp retries once after a reset."""
        connector = ProxyConnector.from_url(self._account.proxy) if self._account.proxy else None
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with asyncio.timeout_at(self._deadline):
                self._socket = await self._session.ws_connect(
                    self._address,
                    ssl=self._tls,
                    headers={**headers, "Cookie": self._account.cookie_header},
                    max_msg_size=MAX_MESSAGE,
                    # Else thousands would be answered before anything else has its turn.
                    autoping=False,
                    # The JSON decoder takes bytes, and decodes only the fields that it needs.
                    decode_text=False,
                )
        except (TimeoutError, ProxyTimeoutError) as error:
            raise UpstreamError(Reason.TIMEOUT_CONNECT, "no connection in time") from error
        except aiohttp.WSServerHandshakeError as error:
            raise UpstreamError(Reason.TRANSPORT_UPGRADE, f"HTTP {error.status}") from error
        except aiohttp.ClientResponseError as error:
            # Its text contains the address, which has a key in it.
            raise UpstreamError(Reason.TRANSPORT_CONNECT, type(error).__name__) from error
        except (aiohttp.ClientError, ProxyError, ProxyConnectionError, asyncio.IncompleteReadError, OSError) as error:
            raise UpstreamError(Reason.TRANSPORT_CONNECT, str(error)) from error

    async def send_str(self, data: str) -> None:
        """Send a record from EdgeGPT: the handshake, a ping or the question."""
        kind = PING if data == _PING else outgoing_type(data)
        if kind == PING:
            await self._ping(data)
            return
        if kind == REQUEST:
            try:
                await self._before_send()
            except Exception as error:
                self.veto = error
                raise
        try:
            await self._open_socket.send_str(data)
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError(Reason.TRANSPORT_CLOSED, str(error)) from error

    async def receive_str(self) -> str:
        """Return a replacement for the next message that matters to EdgeGPT. An empty message is returned unchanged."""
        if not self._handshake_done:
            return await self._handshake()
        read = self._reply.read
        while True:
            if not (message := await self._receive()):
                return ""
            size = len(message)
            update = read(message) if size <= LARGE else await run_sized(size, read, message)
            if update is not ReplyUpdate.NOTHING:
                return _REPLACEMENTS[update]

    async def close(self) -> None:
        """Send a close frame and disconnect, without waiting for the other side. It may be called again."""
        self.closed = True
        if self._socket is not None:
            # The close frame is written at once; the timeout only skips the wait for its echo.
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await self._socket.close()
        if self._session is not None:
            await self._session.close()

    @property
    def _open_socket(self) -> "aiohttp.ClientWebSocketResponse[Literal[False]]":
        if self._socket is None:
            raise UpstreamError(Reason.TRANSPORT_CLOSED, "not connected")
        return self._socket

    async def _ping(self, data: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._pinged >= PING_INTERVAL:
            self._pinged = now
            # A closed connection is detected when reading, after the server's last messages.
            with suppress(aiohttp.ClientError, OSError):
                await self._open_socket.send_str(data)

    async def _handshake(self) -> str:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise UpstreamError(Reason.TIMEOUT_CONNECT, "no handshake in time") from error
        if len(message) > _LONGEST_HANDSHAKE:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "a handshake that is too long")
        for frame in read_frames(message):
            if frame.error:
                raise UpstreamError(Reason.TRANSPORT_UPGRADE, name_failure(frame.error, "a handshake that fails"))
        self._handshake_done = True
        return message.decode(errors="replace")

    async def _receive(self) -> bytes:
        """Return the next message, and answer the pings before it."""
        socket = self._open_socket
        while True:
            self._received += 1
            if self._received > MOST_MESSAGES:
                raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "messages without end")
            if self._received % _BURST == 0:
                # A fast server leaves no moment of waiting, in which others would have their turn.
                await asyncio.sleep(0)
            received = await socket.receive()
            if received.type is _TEXT:
                message: bytes = received.data
                self._bytes += len(message)
                if self._bytes > MOST_BYTES:
                    raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "messages without end")
                return message
            if received.type is aiohttp.WSMsgType.PING:
                # A closed connection is detected when reading.
                with suppress(aiohttp.ClientError, OSError):
                    await socket.pong(received.data)
            elif received.type is not aiohttp.WSMsgType.PONG:
                self._raise_closed(received.type, received.data)

    def _raise_closed(self, kind: aiohttp.WSMsgType, data: object) -> NoReturn:
        """Raise the error for a message that isn't text."""
        if kind is aiohttp.WSMsgType.BINARY:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "a binary message")
        if kind is aiohttp.WSMsgType.ERROR and isinstance(data, aiohttp.WebSocketError):
            too_big = data.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG if too_big else Reason.UPSTREAM_PROTOCOL, str(data))
        raise UpstreamError(Reason.TRANSPORT_CLOSED, f"close code {self._open_socket.close_code}")


class ChatHubSession:
    """Replaces EdgeGPT's aiohttp.ClientSession; the 'URL' that it connects to is a ChatHubSocket."""

    def __init__(self, **_: object) -> None:
        self.closed = False

    async def ws_connect(self, hub_socket: ChatHubSocket, *, headers: dict[str, str], **_: object) -> ChatHubSocket:
        """Open the socket. EdgeGPT's other arguments (TLS, proxy) are ignored: the socket has its own."""
        await hub_socket.open(headers)
        return hub_socket

    async def close(self) -> None:
        """Mark the session as closed: the socket disconnects by itself."""
        self.closed = True
