"""The servers around nginx in a test: Docker's name server, and scripted gateways."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import httpx
from aiohttp import web

_FOUND, _NO_SUCH_NAME = 0x8180, 0x8183
_TTL = 600  # as Docker says; nginx must not believe it
_END_LIMIT = 1.0
STREAM = b"data: one\n\ndata: two\n\n"
HALF = len(STREAM) // 2


@dataclass
class Names(asyncio.DatagramProtocol):
    """A name server: name -> IPv4 addresses, which the test may change at any time."""

    addresses: dict[str, list[str]]
    _transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: asyncio's own transport for datagrams is no such class before Python 3.13.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        end = data.index(0, 12) + 5
        addresses = self.addresses.get(_name(data), [])
        header = data[:2] + struct.pack(">5H", _FOUND if addresses else _NO_SUCH_NAME, 1, len(addresses), 0, 0)
        records = [struct.pack(">3HIH", 0xC00C, 1, 1, _TTL, 4) + socket.inet_aton(address) for address in addresses]
        self._transport.sendto(header + data[12:end] + b"".join(records), addr)


def _name(query: bytes) -> str:
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels)


@asynccontextmanager
async def name_server(names: Names) -> AsyncIterator[int]:
    """Serve `names`; the port."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: names, ("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@dataclass
class Gateway:
    """A gateway's place taken: keeps what arrives, and streams only as fast as the test lets it."""

    address: str
    seen: list[web.Request] = field(default_factory=list)
    bodies: list[int] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    draining: bool = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Everything that comes, by its path."""
        self.seen.append(request)
        self.bodies.append(len(await request.read()))
        if self.draining:
            return web.Response(status=503, text="going down", headers={"Retry-After": "1"})
        match request.path:
            case "/die" | "/console/die":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case "/refuse":
                return web.Response(status=502, text="the gateway's own words", headers={"X-Accel-Buffering": "no"})
            case "/api_stream":
                return await self._stream(request)
            case "/ws":
                return await _echo(request)
        return web.Response(text=self.address)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if "counted" in request.query:
            response.content_length = len(STREAM)
        await response.prepare(request)
        await response.write(STREAM[:HALF])
        async with asyncio.timeout(10):
            await self.go_on.wait()
        await response.write(STREAM[HALF:])
        return response


async def _echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(protocols=["bing-chat.v2"])
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(f"{request.query_string} {message.data}")
    return ws


@asynccontextmanager
async def serving(gateway: Gateway, port: int) -> AsyncIterator[None]:
    """Serve on the gateway's address. OSError when the port is taken there."""
    application = web.Application(client_max_size=16 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", gateway.handle)
    most = 1 << 20
    runner = web.AppRunner(
        application, access_log=None, shutdown_timeout=_END_LIMIT, max_line_size=most, max_field_size=most
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, gateway.address, port).start()
        yield
    finally:
        await runner.cleanup()


async def receive_by_halves(client: httpx.AsyncClient, gateways: Sequence[Gateway], framing: str) -> bytes:
    """What comes through of a stream whose gateway sends its second half once the first has arrived."""
    received = b""
    async with client.stream("GET", "/api_stream", params={framing: "1"}) as response:
        async for chunk in response.aiter_raw():
            received += chunk
            if received == STREAM[:HALF]:
                for gateway in gateways:
                    gateway.go_on.set()
    return received
