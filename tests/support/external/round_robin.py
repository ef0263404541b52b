"""A proxy that gives each request to the next gateway, as nginx does, so that no program stays at one."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle

import aiohttp
from aiohttp import web

from tests.support.processes import free_port

_MAX_BODY = 2**26
# These are for one connection.
_HOPS = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "accept-encoding"}


@dataclass(frozen=True)
class ProxiedRequest:
    """A request that went through, with the gateway that got it."""

    gateway: str
    path: str
    status: int


@dataclass
class RoundRobin:
    """The proxy's address, and all that it passed on."""

    url: str
    gateways: Sequence[str]
    requests: list[ProxiedRequest] = field(default_factory=list)


@contextmanager
def round_robin(gateways: Sequence[str]) -> Iterator[RoundRobin]:
    """Run a proxy before the gateways, in a thread."""
    port = free_port()
    proxy = RoundRobin(f"http://127.0.0.1:{port}", gateways)
    loop = asyncio.new_event_loop()
    ready, end = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_serve(proxy, port, ready, end)))
    thread.start()
    try:
        assert ready.wait(10)
        yield proxy
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


async def _serve(proxy: RoundRobin, port: int, ready: threading.Event, end: asyncio.Event) -> None:
    turns = cycle(proxy.gateways)
    async with aiohttp.ClientSession(auto_decompress=False, timeout=aiohttp.ClientTimeout(None)) as session:

        async def handle(request: web.Request) -> web.StreamResponse:
            return await _forward(proxy, session, next(turns), request)

        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        ready.set()
        await end.wait()
        await runner.cleanup()


async def _forward(
    proxy: RoundRobin, session: aiohttp.ClientSession, gateway: str, request: web.Request
) -> web.StreamResponse:
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOPS]
    body = await request.read()
    async with session.request(request.method, f"{gateway}{request.path_qs}", headers=headers, data=body) as reply:
        proxy.requests.append(ProxiedRequest(gateway, request.path, reply.status))
        response = web.StreamResponse(status=reply.status)
        response.headers.extend((name, value) for name, value in reply.headers.items() if name.lower() not in _HOPS)
        await response.prepare(request)
        async for chunk in reply.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response
