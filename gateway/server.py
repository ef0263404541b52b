"""Runs the application on uvicorn, in whatever event loop the caller has."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import structlog
import uvicorn
from starlette.types import ASGIApp

from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from gateway.http.streaming import HttpProtocol, SocketProtocol
from gateway.settings import GatewaySettings
from wire.redis.store import Store

_BACKLOG = 2048
_PING_EVERY = 20.0
# Above the idle time of any proxy in front, so that the proxy is the one that hangs up.
_KEEP_ALIVE = 75
# Who vanished without a word is found within a minute, whether we send or only wait: after 15 s of silence a client is
# asked for a sign of life every 5 s, and what was sent may stay unconfirmed for 25 s. At worst one follows the other.
_SIGNS_OF_LIFE = (
    ("SOL_SOCKET", "SO_KEEPALIVE", 1),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", 15),
    ("IPPROTO_TCP", "TCP_KEEPINTVL", 5),
    ("IPPROTO_TCP", "TCP_KEEPCNT", 3),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 25_000),
)
# Seconds that answers which are cut off get to be told so, before uvicorn closes their sockets, and those that open
# connections get to take their last bytes.
_LAST_WORD = 0.5
_LAST_BYTES = 1
_LOG = structlog.get_logger()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: a signal drains the process, and that is the caller's to decide."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()


async def serve(
    settings: GatewaySettings, store: Store, turns: ActiveRequests, *, ready: Callable[[str], None] | None = None
) -> None:
    """Serve until `turns` is drained, or until cancelled.

    After `turns.drain()` running answers get the drain timeout, after `turns.cut()` nothing; then it returns within
    2 s. `ready` gets the address, with the real port, once connections are accepted. OSError if the port can't be had,
    ValueError if a file that the settings name is no good.
    """
    server = _Server(config(create_app(settings, store, turns), settings))
    sock = _listen(settings.gateway_host, settings.gateway_port)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        await server.listening.wait()
        address = _address(sock)
        _LOG.info("gateway listens", address=address)
        if ready is not None:
            ready(address)
        await turns.drained(settings.drain_timeout)
    finally:
        turns.cut()
        await turns.ended(_LAST_WORD)
        server.should_exit = True
        await serving
        _LOG.info("gateway ended")


def config(app: ASGIApp, settings: GatewaySettings) -> uvicorn.Config:
    """How every gateway runs uvicorn, around `app`."""
    return uvicorn.Config(
        app,
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_max_size=settings.max_body,
        ws_ping_interval=_PING_EVERY,
        ws_ping_timeout=_PING_EVERY,
        ws_per_message_deflate=False,  # costs memory for each open socket, and frames are small
        lifespan="on",
        log_config=None,
        log_level="warning",  # below that, uvicorn logs whole queries
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_LAST_BYTES,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, because asyncio turns Nagle's delay off only for sockets that are.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _ask_for_signs_of_life(sock)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _ask_for_signs_of_life(sock: socket.socket) -> None:
    """On Linux the accepted connections inherit it; what a platform has no name for is left out."""
    for level, option, value in _SIGNS_OF_LIFE:
        if hasattr(socket, option):
            sock.setsockopt(getattr(socket, level), getattr(socket, option), value)


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
