"""Run the application on uvicorn, in the caller's event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.answering.drain import ActiveRequests
from gateway.answering.timings import TIMINGS, Timings
from gateway.app import create_app
from gateway.auth.addresses import parse_networks
from gateway.http.control_frames import take_turns
from gateway.http.listener import SOCKET_OPTIONS, address_of, listen, stop_connections
from gateway.http.long_steps import LongSteps
from gateway.http.open_connections import OpenConnections
from gateway.http.streaming import is_idle, protocols
from gateway.settings import GatewaySettings
from wire.redis.store import Store

# Above the idle time of any proxy in front, so that the proxy is the one that closes the connection.
_KEEP_ALIVE = 75
# Seconds for the error frames of aborted answers, and then for the requests of connections that are open and for the
# last bytes of all: at least so long as a handshake takes that has begun. What is left then gets the last moments.
_ABORT_TIMEOUT = 0.5
_CLOSE_TIMEOUT = 1
_HANDSHAKE_TIME = 0.1
_LAST_MOMENTS = 0.2
_TICK = 0.02
_LOG = structlog.get_logger()


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: the caller handles signals, and drains the process."""

    def __init__(self, config: uvicorn.Config, active_requests: ActiveRequests) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._active_requests = active_requests

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.listening.set()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer whatever the kernel has accepted, each request with a refusal by now, and only then close."""
        for sock in sockets or []:
            stop_connections(sock)
        await asyncio.sleep(_HANDSHAKE_TIME)
        await self._wait_for(lambda: not self.server_state.connections, _CLOSE_TIMEOUT - _HANDSHAKE_TIME)
        self._active_requests.stop_reading()
        await self._wait_for(self._close_idle, _LAST_MOMENTS)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)

    def _close_idle(self) -> bool:
        """Close the connections without a request, and return whether no other is open."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpToolsProtocol) and is_idle(connection):
                connection.transport.close()
        return not self.server_state.connections

    @staticmethod
    async def _wait_for(condition: Callable[[], bool], limit: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while not condition():  # noqa: ASYNC110 - connections have no event to wait for
                    await asyncio.sleep(_TICK)


async def serve(
    settings: GatewaySettings,
    store: Store,
    active_requests: ActiveRequests,
    *,
    ready: Callable[[str], None] | None = None,
    timings: Timings = TIMINGS,
    socket_options: Sequence[tuple[str, str, int]] = SOCKET_OPTIONS,
) -> None:
    """Serve until `active_requests` is drained, or until cancelled.

    After `active_requests.drain()` running answers get the drain timeout, after `abort()` nothing; then it returns
    within 2 s. `ready` is called with the address, including the real port, once connections are accepted. The
    listening socket gets `socket_options`, each the names of a level and an option, and its value. Raises OSError if
    the port can't be bound, ValueError if a file that the settings name is invalid.
    """
    steps = LongSteps()
    app = create_app(settings, store, active_requests, timings=timings, steps=steps)
    server = _Server(config(app, settings, timings, steps), active_requests)
    with listen(settings.gateway_host, settings.gateway_port, socket_options) as sock:
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            await server.listening.wait()
            if serving.done():
                await serving  # the start has failed
            address = address_of(sock)
            _LOG.info("gateway listens", address=address)
            if ready is not None:
                ready(address)
            await active_requests.wait_drained(settings.drain_timeout)
        finally:
            active_requests.abort()
            await active_requests.wait_closed(_ABORT_TIMEOUT)
            server.should_exit = True
            await serving
            _LOG.info("gateway ended")


def config(
    app: ASGIApp, settings: GatewaySettings, timings: Timings = TIMINGS, steps: LongSteps | None = None
) -> uvicorn.Config:
    """Return the configuration with which every gateway runs `app`, whose requests count among `steps`."""
    open_connections = OpenConnections(
        settings.connection_limit,
        parse_networks(settings.trusted_proxies or ""),
        head_limit=timings.head_limit,
        body_limit=timings.body_limit,
        steps=steps,
    )
    http, websocket = protocols(open_connections)
    return uvicorn.Config(
        app,
        http=http,
        ws=take_turns(websocket),
        ws_max_size=settings.max_message,
        ws_ping_interval=timings.socket_ping_every,
        ws_ping_timeout=timings.socket_ping_every,
        ws_per_message_deflate=False,  # costs memory for each open socket, and frames are small
        lifespan="on",
        log_config=None,
        log_level="warning",  # below that, uvicorn logs whole queries
        access_log=False,
        server_header=False,
        # Of every response, uvicorn's own too: no browser takes JSON, an answer or a picture for a page or a script.
        headers=[("x-content-type-options", "nosniff")],
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_CLOSE_TIMEOUT,
    )
