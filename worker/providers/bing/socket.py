"""The socket under EdgeGPT: it connects, reads and hangs up, and EdgeGPT talks through it.

EdgeGPT builds the question and drives the exchange, but it waits for ever on a silent server, loses the final frame in
most failures and breaks on messages that are normal. So the frames are read here, and EdgeGPT gets a digest of each:
that text came, that the server pinged, that the turn ended.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Literal, NoReturn

import aiohttp
from aiohttp_socks import ProxyConnectionError, ProxyConnector, ProxyError, ProxyTimeoutError
from yarl import URL

from worker.accounts.account import CookieAccount
from worker.errors import UpstreamError
from worker.providers import BeforeSend
from worker.providers.bing.frames import PING, REQUEST, outgoing_type, read_frames
from worker.providers.bing.reply import BingReply, ReplyUpdate

# Larger messages are cut off; real ones stay far below.
MAX_MESSAGE = 4 * 1024 * 1024
# EdgeGPT pings once for every record that arrives within one second of six: hundreds in a busy stream.
PING_INTERVAL = 1.0

# As EdgeGPT writes it.
_PING = '{"type": 6}\x1e'

_TEXT = aiohttp.WSMsgType.TEXT

_DIGESTS = {
    ReplyUpdate.PING: '{"type":6}\x1e',
    # What it makes nothing of, and passes on; without a delimiter, or it would take what follows for a record.
    ReplyUpdate.TEXT: "{}",
    ReplyUpdate.END: '{"type":2,"item":{"result":{},"messages":[{"contentOrigin":""}]}}\x1e',
}


class ChatHubSocket:
    """One ask's connection.

    `deadline`, in the loop's time, ends connecting and the handshake. `before_send` is awaited exactly before the
    question is written; what it raises is kept as `veto` and goes through as it is. All else that goes wrong is an
    UpstreamError.
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
        self._shaken = False
        self._pinged = 0.0
        self.closed = False
        self.veto: Exception | None = None

    async def open(self, headers: dict[str, str]) -> None:
        """Connect, with `headers`, the account's cookies and by its proxy. aiohttp tries once more when it is reset."""
        connector = ProxyConnector.from_url(self._account.proxy) if self._account.proxy else None
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with asyncio.timeout_at(self._deadline):
                self._socket = await self._session.ws_connect(
                    self._address,
                    ssl=self._tls,
                    headers={**headers, "Cookie": self._account.cookie_header},
                    max_msg_size=MAX_MESSAGE,
                    # The decoder of JSON takes bytes, and decodes only what it has been asked for.
                    decode_text=False,
                )
        except (TimeoutError, ProxyTimeoutError) as error:
            raise UpstreamError("timeout.connect", "no connection in time") from error
        except aiohttp.WSServerHandshakeError as error:
            raise UpstreamError("transport.upgrade", f"HTTP {error.status}") from error
        except (aiohttp.ClientError, ProxyError, ProxyConnectionError, asyncio.IncompleteReadError, OSError) as error:
            raise UpstreamError("transport.connect", str(error)) from error

    async def send_str(self, data: str) -> None:
        """Send a record of EdgeGPT's: the handshake, a ping or the question."""
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
            raise UpstreamError("transport.closed", str(error)) from error

    async def receive_str(self) -> str:
        """What EdgeGPT may know of the next message that matters to it. An empty message is passed on as it is."""
        if not self._shaken:
            return await self._handshake()
        socket, read = self._open_socket, self._reply.read
        while True:
            received = await socket.receive()
            message: bytes = received.data if received.type is _TEXT else self._broken(received.type, received.data)
            if not message:
                return ""
            news = read(message)
            if news is not ReplyUpdate.NOTHING:
                return _DIGESTS[news]

    async def close(self) -> None:
        """Say goodbye and hang up, without waiting for the other side. Harmless when repeated."""
        self.closed = True
        if self._socket is not None:
            # The close frame is written at once; the wait for its echo is what the limit cuts off.
            with suppress(TimeoutError):
                async with asyncio.timeout(0):
                    await self._socket.close()
        if self._session is not None:
            await self._session.close()

    @property
    def _open_socket(self) -> "aiohttp.ClientWebSocketResponse[Literal[False]]":
        if self._socket is None:
            raise UpstreamError("transport.closed", "not connected")
        return self._socket

    async def _ping(self, data: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._pinged >= PING_INTERVAL:
            self._pinged = now
            # A connection that is gone shows when it is read, after what the server still said.
            with suppress(aiohttp.ClientError, OSError):
                await self._open_socket.send_str(data)

    async def _handshake(self) -> str:
        try:
            async with asyncio.timeout_at(self._deadline):
                received = await self._open_socket.receive()
        except TimeoutError as error:
            raise UpstreamError("timeout.connect", "no handshake in time") from error
        message: bytes = received.data if received.type is _TEXT else self._broken(received.type, received.data)
        for frame in read_frames(message):
            if frame.error:
                raise UpstreamError("transport.upgrade", frame.error)
        self._shaken = True
        return message.decode(errors="replace")

    def _broken(self, kind: aiohttp.WSMsgType, data: object) -> NoReturn:
        """Raise what it means that this came, and no text."""
        if kind is aiohttp.WSMsgType.BINARY:
            raise UpstreamError("upstream.protocol", "a binary message")
        if kind is aiohttp.WSMsgType.ERROR and isinstance(data, aiohttp.WebSocketError):
            too_big = data.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
            raise UpstreamError("transport.toobig" if too_big else "upstream.protocol", str(data))
        raise UpstreamError("transport.closed", f"close code {self._open_socket.close_code}")


class ChatHubSession:
    """Stands where EdgeGPT makes its aiohttp.ClientSession; the address that it connects to is a Line."""

    def __init__(self, **_: object) -> None:
        self.closed = False

    async def ws_connect(self, line: ChatHubSocket, *, headers: dict[str, str], **_: object) -> ChatHubSocket:
        """Open the line. EdgeGPT's other arguments (TLS, proxy) are the line's own business."""
        await line.open(headers)
        return line

    async def close(self) -> None:
        """Nothing to do: the line hangs up by itself."""
        self.closed = True
