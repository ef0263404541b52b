"""One connection to a server's protocol, without a network."""

import asyncio

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.http.open_connections import OpenConnections
from gateway.http.streaming import HttpProtocol, SocketProtocol

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class ServerTransport(asyncio.Transport):
    """The server's end of a connection: keeps what was written, and whether nothing is read."""

    def __init__(self, peer: str = "192.0.2.1") -> None:
        super().__init__({"peername": (peer, 1), "sockname": ("192.0.2.2", 80)})
        self.written = b""
        self.closed = False
        self.paused = False
        self._protocol: asyncio.BaseProtocol = asyncio.Protocol()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep what is sent."""
        self.written += data

    def is_closing(self) -> bool:
        """Return whether it is closed."""
        return self.closed

    def close(self) -> None:
        """Close it."""
        self.closed = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let another protocol have it."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that has it."""
        return self._protocol

    def pause_reading(self) -> None:
        """Read nothing: a test may send what it means to all the same."""
        self.paused = True

    def resume_reading(self) -> None:
        """Read on."""
        self.paused = False


async def answer_head(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept a socket, and answer a request with the status of a refusal, or 200; /slow never."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
    if scope["type"] == "websocket" or scope["path"] == "/slow":
        await asyncio.Event().wait()
    status = scope["state"].get("refused_head", 200)
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with its address and its body."""
    body, more = scope["raw_path"] + b" ", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def connected(
    open_connections: OpenConnections | None = None,
    sockets: type[asyncio.Protocol] = SocketProtocol,
    peer: str = "192.0.2.1",
    app: ASGIApp = answer_head,
) -> tuple[HttpProtocol, ServerTransport]:
    """Return a new connection of `peer` to a server of `app`, by default one that only looks at heads."""
    config = uvicorn.Config(app, ws=sockets, ws_max_size=2**20, log_config=None)
    transport = ServerTransport(peer)
    protocol = HttpProtocol(open_connections or OpenConnections(1), config, ServerState(), {})
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    return protocol, transport
