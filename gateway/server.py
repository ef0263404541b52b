"""Run the application on uvicorn, in the caller's event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence

import structlog
import uvicorn
from starlette.types import ASGIApp

from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from gateway.http.streaming import protocols
from gateway.settings import GatewaySettings
from gateway.timings import TIMINGS, Timings
from wire.redis.store import Store

_BACKLOG = 2048
# Above the idle time of any proxy in front, so that the proxy is the one that closes the connection.
_KEEP_ALIVE = 75
# A client that vanished is noticed within a minute, whether we send or only wait: after 15 s of silence the kernel
# sends a probe every 5 s, and sent data may stay unacknowledged for 25 s. At worst one follows the other.
SOCKET_OPTIONS: Sequence[tuple[str, str, int]] = (
    ("SOL_SOCKET", "SO_KEEPALIVE", 1),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", 15),
    ("IPPROTO_TCP", "TCP_KEEPINTVL", 5),
    ("IPPROTO_TCP", "TCP_KEEPCNT", 3),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 25_000),
)
# Seconds for the error frames of aborted answers, before uvicorn closes their sockets, and for the last bytes of open
# connections.
_ABORT_TIMEOUT = 0.5
_CLOSE_TIMEOUT = 1
_LOG = structlog.get_logger()


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: the caller handles signals, and drains the process."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()


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
    app = create_app(settings, store, active_requests, timings=timings)
    server = _Server(config(app, settings, ping_every=timings.socket_ping_every))
    sock = _listen(settings.gateway_host, settings.gateway_port, socket_options)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await server.listening.wait()
        address = _address(sock)
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


def config(app: ASGIApp, settings: GatewaySettings, *, ping_every: float = TIMINGS.socket_ping_every) -> uvicorn.Config:
    """Return the configuration with which every gateway runs `app`."""
    http, websocket = protocols()
    return uvicorn.Config(
        app,
        http=http,
        ws=websocket,
        ws_max_size=settings.max_body,
        ws_ping_interval=ping_every,
        ws_ping_timeout=ping_every,
        ws_per_message_deflate=False,  # costs memory for each open socket, and frames are small
        lifespan="on",
        log_config=None,
        log_level="warning",  # below that, uvicorn logs whole queries
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_CLOSE_TIMEOUT,
    )


def _listen(host: str, port: int, options: Sequence[tuple[str, str, int]]) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, because asyncio turns Nagle's delay off only for sockets that are.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _set_options(sock, options)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _set_options(sock: socket.socket, options: Sequence[tuple[str, str, int]]) -> None:
    """Set the options, which accepted connections inherit on Linux; options that a platform lacks are skipped."""
    for level, option, value in options:
        if hasattr(socket, option):
            sock.setsockopt(getattr(socket, level), getattr(socket, option), value)


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
