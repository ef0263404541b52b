"""How an open stream or socket keeps little memory and costs little CPU: every trick, and the reason for each.

A gateway holds thousands of streams that are open for minutes and idle between two deltas. What one of them keeps alive
is what a process needs; what one delta runs through is what it costs. Measured on plain Starlette and uvicorn, most of
both is surroundings, not the answer: a dozen frames of middleware per stream, the request with its headers and body,
and a dozen empty deques. Five tricks remove them. None changes a byte that a client gets.

1. A stream in two steps (`run_stream`). An endpoint's response is an async generator that is advanced twice. Up to its
   `yield` it runs inside all middleware, so that an error still becomes a response of its own. What follows the `yield`
   is the stream. One generator, and not two functions, because the context managers that are open at the `yield` (the
   deadline, the subscription) must stay open, and because one frame is all that an open stream then keeps.

2. The rest runs outside the middleware (`detach`, StreamMiddleware). Between the two steps the inner middleware and the
   endpoint return, so an open stream keeps none of their frames alive: a dozen coroutines, the Request, its body,
   its question. Each wake-up would also climb through them all. StreamMiddleware runs the rest and drops the request's
   headers and query, which nobody reads after that. Only what must see a stream's end (metrics, tracing, the request's
   id) is outside of StreamMiddleware. Without it, as in unit tests, the rest runs at once.

3. Past the middleware to the server (`server_send`, `server_receive`). A middleware wraps `send` to change the start of
   a response; each body chunk would pass through the same wrappers for nothing. The chunks use the server's own
   callables, which RequestIdMiddleware, the outermost one, keeps in the request's state.

4. Uvicorn's protocols without deques (HttpProtocol, SocketProtocol). uvicorn holds an `asyncio.Event` or a deque for
   requests that are pipelined, for messages that wait, for writers that are paused: three for each stream, five for
   each socket. They are nearly always empty, and an empty deque takes 0.6 kB. Lists do the same. A protocol that has
   handed over to a WebSocket also drops its parser, since both refer to each other until the next garbage collection.

5. No task that waits for a client to leave. The connection calls `on_disconnect` of the response that it makes, which
   isn't that of the latest request where some wait behind it; see ActiveRequests.

The fourth trick replaces private attributes of uvicorn and of asyncio. `protocols` checks that each attribute is still
set where it is expected; when one is gone, after an update, the gateway logs that once and runs uvicorn's own classes:
it then needs more memory, HTTP/1.0 gets chunks, an address that is too long or has raw UTF-8 a plain 400, and
LimitedProtocol's limits don't hold.

HttpProtocol also adds what uvicorn lacks: no chunks for HTTP/1.0, addresses without percent-encoding, and the limits of
LimitedProtocol. SocketProtocol makes no message of what it has read before the one in front is taken: of the 250 kB of
one read, tiny ones would take forty times as much. The rest waits in TCP. So may pongs, which are not missed
meanwhile; that a client has vanished the kernel notices. A large message has room in the process's memory from before
it is whole until it is taken, and is held as bytes: a client with many that don't end, or wait, is cut off.
"""

import array
import asyncio
import contextlib
import fcntl
import termios
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, cast

import structlog
import wsproto.events
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import BytesMessage, TextMessage

from gateway.errors import ClientGoneError
from gateway.http.limited_protocol import LimitedProtocol
from gateway.http.message_buffer import MessageBuffer, decode
from gateway.http.open_connections import OpenConnections
from gateway.http.sliced_protocol import SlicedProtocol
from wire.errors import ClientFullError
from wire.threads import LARGE

# Private attributes that are replaced below, with the function that has to mention each.
_PRIVATE: tuple[tuple[type, str, str], ...] = (
    (asyncio.Event, "__init__", "_waiters"),
    (asyncio.Event, "__init__", "_value"),
    (FlowControl, "__init__", "_is_writable_event"),
    (FlowControl, "__init__", "_transport"),
    (FlowControl, "pause_reading", "read_paused"),
    (FlowControl, "resume_reading", "read_paused"),
    (RequestResponseCycle, "__init__", "message_event"),
    (HttpToolsProtocol, "__init__", "pipeline"),
    (HttpToolsProtocol, "connection_made", "flow"),
    (HttpToolsProtocol, "on_headers_complete", "cycle"),
    (HttpToolsProtocol, "on_headers_complete", "url"),
    (HttpToolsProtocol, "on_headers_complete", "_should_upgrade"),
    (HttpToolsProtocol, "on_headers_complete", "_start_asgi_task"),
    (HttpToolsProtocol, "on_response_complete", "_start_asgi_task"),
    (HttpToolsProtocol, "on_url", "url"),
    (HttpToolsProtocol, "on_header", "headers"),
    (HttpToolsProtocol, "on_message_begin", "scope"),
    (RequestResponseCycle, "send", "chunked_encoding"),
    (RequestResponseCycle, "send", "expected_content_length"),
    (HttpToolsProtocol, "handle_websocket_upgrade", "transport"),
    (HttpToolsProtocol, "data_received", "parser"),
    (WSProtocol, "__init__", "queue"),
    (WSProtocol, "__init__", "writable"),
    (WSProtocol, "__init__", "buffer"),
    (WSProtocol, "handle_events", "events"),
    (WSProtocol, "handle_message", "buffer"),
    (WSProtocol, "handle_message", "read_paused"),
    (WSProtocol, "receive", "read_paused"),
    (WSProtocol, "keepalive_timeout", "pong_timer"),
)
_HANDLERS: Mapping[type[Any], str] = {
    wsproto.events.Request: "handle_connect",
    wsproto.events.TextMessage: "handle_message",
    wsproto.events.BytesMessage: "handle_message",
    wsproto.events.CloseConnection: "handle_close",
    wsproto.events.Ping: "handle_ping",
    wsproto.events.Pong: "handle_pong",
}
# The code that closes a socket whose client has too many large messages here (IANA's registry of RFC 6455).
_TRY_AGAIN_LATER = 1013
_ESCAPES = {byte: f"%{byte:02X}" for byte in range(0x80, 0x100)}
_LOG = structlog.get_logger()


async def run_stream(
    scope: Scope, steps: AsyncGenerator[None, None], finish: Callable[[AsyncGenerator[None, None]], Awaitable[None]]
) -> None:
    """Run `steps` up to its yield now, and `finish(steps)` once the inner middleware has returned."""
    try:
        await anext(steps)
    except ClientGoneError:
        return
    await detach(scope, partial(finish, steps))


async def detach(scope: Scope, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` once all layers inside of StreamMiddleware have returned; at once where there is no such layer.

    Nothing may be awaited between this and the endpoint's end.
    """
    if "detached" in scope["state"]:
        scope["state"]["detached"] = work
    else:
        await work()


class StreamMiddleware:
    """Runs a stream's body after the inner middleware has returned, so that it keeps none of their frames alive."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope["state"]["detached"] = None
        await self._app(scope, receive, send)
        work = scope["state"].pop("detached")
        if work is not None:
            # Nobody reads any more what the client sent.
            scope["headers"].clear()
            scope["query_string"] = b""
            await work()


def server_send(scope: Scope, send: Send) -> Send:
    """Return the server's own `send`, for what follows the start of a response; `send` where there is no middleware."""
    server: Send = scope.get("state", {}).get("send", send)
    return server


def server_receive(scope: Scope, receive: Receive) -> Receive:
    """Return the server's own `receive`; see `server_send`."""
    server: Receive = scope.get("state", {}).get("receive", receive)
    return server


def protocols(open_connections: OpenConnections) -> tuple[type[asyncio.Protocol], type[asyncio.Protocol]]:
    """Return what makes HTTP and WebSocket connections: the classes here, or uvicorn's own if they don't fit."""
    missing = [
        f"{owner.__name__}.{attribute}"
        for owner, function, attribute in _PRIVATE
        if not _mentions(getattr(owner, function, None), attribute)
    ]
    if missing:
        _LOG.warning("uvicorn's own protocols are used: they need more memory", missing=missing)
        return HttpToolsProtocol, WSProtocol
    return cast(type[asyncio.Protocol], partial(HttpProtocol, open_connections)), SocketProtocol


def is_idle(connection: HttpToolsProtocol) -> bool:
    """Return whether a connection has no request now: none is answered, and nothing of one has arrived."""
    if connection.cycle is not None and not connection.cycle.response_complete:
        return False
    if isinstance(connection, SlicedProtocol) and connection.is_holding:
        return False
    unread = array.array("i", [0])
    with contextlib.suppress(OSError, ValueError):  # it may have been closed meanwhile
        fcntl.ioctl(connection.transport.get_extra_info("socket").fileno(), termios.FIONREAD, unread)
    return not unread[0]


def _mentions(function: Any, attribute: str) -> bool:
    return attribute in getattr(getattr(function, "__code__", None), "co_names", ())


class HttpProtocol(LimitedProtocol):
    """A connection with requests."""

    # Whether the next bytes belong to the first line of a request.
    _in_first_line = True
    # The response to the request that is being answered, or was answered last: others may wait behind it.
    _response: RequestResponseCycle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pipeline = cast(Any, _Pipeline())

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self.flow._is_writable_event = _ListEvent(value=True)

    def parse(self, data: bytes) -> None:
        """See SlicedProtocol: bytes in an address that clients should have percent-encoded are so from here on."""
        if self._in_first_line:
            line, end, rest = data.partition(b"\n")
            self._in_first_line = not end
            if not line.isascii():
                data = line.decode("latin-1").translate(_ESCAPES).encode("ascii") + end + rest
        super().parse(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        response = cast(Any, self._response)
        if response is None or response.response_complete:
            return
        response.disconnected = True
        response.message_event.set()
        if response.on_disconnect is not None:
            response.on_disconnect()

    def on_headers_complete(self) -> None:
        """See uvicorn: a head has arrived whole, perhaps in the slice in which the request before it ended."""
        self._in_first_line = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """See uvicorn: a request has arrived whole."""
        super().on_message_complete()
        self._in_first_line = True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._response = cycle
        super()._start_asgi_task(cycle, app)

    def _begin_request(self) -> None:
        super()._begin_request()
        self.cycle.message_event = _ListEvent(value=False)
        cast(Any, self.cycle).on_disconnect = None
        if self.scope["http_version"] < "1.1":
            self.cycle.__class__ = _UnchunkedCycle

    def handle_websocket_upgrade(self) -> None:
        """See uvicorn: another protocol takes over."""
        super().handle_websocket_upgrade()
        protocol = self.transport.get_protocol()
        if self._entered and self.client is not None and isinstance(protocol, SocketProtocol):
            protocol.take_over(self._open_connections, self.client[0])
        # Parser and protocol refer to each other: both would stay until the next garbage collection.
        self.parser = cast(Any, None)


class _UnchunkedCycle(RequestResponseCycle):
    """A response over HTTP/1.0, which has no chunks: without a length, the end of the connection is its end."""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.chunked_encoding = False
        else:
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class SocketProtocol(WSProtocol):
    """A connection that has become a WebSocket, and still counts among its client's."""

    _open_connections: OpenConnections | None = None
    _peer = ""
    # The room of a large message that isn't whole, or waits.
    _held: AbstractContextManager[None] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = cast(Any, _MessageQueue())
        self.buffer = cast(Any, MessageBuffer(self.config.ws_max_size))
        self.writable = _ListEvent(value=True)

    def handle_events(self) -> None:
        """See uvicorn: handle what has been read, up to a whole message that nobody has taken."""
        events = self.conn.events()
        while not self.read_paused or self.close_sent:
            event = next(events, None)
            if event is None:
                return
            if not self.close_sent or isinstance(event, wsproto.events.CloseConnection):
                getattr(self, _HANDLERS[type(event)])(event)

    async def receive(self) -> Any:
        """See uvicorn: return the next message, and make one of what has been read already."""
        message = decode(await self.queue.get())
        self._give_back()
        if self.read_paused and self.queue.empty():
            self.continue_reading()
        return message

    def continue_reading(self) -> None:
        """Handle what has been read already, and read on."""
        self.read_paused = False
        self.transport.resume_reading()
        if not self.transport.is_closing():
            self.handle_events()

    async def send(self, message: Any) -> None:
        """See uvicorn, which waits for the frame before this one only: a large one is sent once most of it is taken.

        Where nobody waits for that any more the connection is cut off: it would hold the frame for as long as it likes.
        """
        await super().send(message)
        if len(message.get("text") or "") <= LARGE:
            return
        try:
            await self.writable.wait()
        except asyncio.CancelledError:
            self.transport.abort()
            raise

    def handle_message(self, event: TextMessage | BytesMessage) -> None:
        """See uvicorn: a part of a message has arrived; a large one needs room."""
        if self._held is None and self.buffer.length + len(event.data) > LARGE and not self._take_room():
            self._refuse_message()
            return
        super().handle_message(event)
        if self.close_sent:
            self.buffer.clear()

    def _take_room(self) -> bool:
        """Return whether there is room for a large message of this client."""
        if self._open_connections is None:
            return True
        forwarded = [value.decode("latin-1") for name, value in self.scope["headers"] if name == b"x-forwarded-for"]
        try:
            self._held = self._open_connections.hold_message(self._peer, forwarded, self.config.ws_max_size)
        except ClientFullError:
            return False
        self._held.__enter__()
        return True

    def _give_back(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(None, None, None)

    def _refuse_message(self) -> None:
        """Close the socket, as uvicorn does for a message that is too large."""
        self.buffer.clear()
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": _TRY_AGAIN_LATER})
        if not self.transport.is_closing():
            self.transport.write(self.conn.send(wsproto.events.CloseConnection(code=_TRY_AGAIN_LATER)))
            self.transport.close()

    def keepalive_timeout(self) -> None:
        """See uvicorn: a pong may wait behind a message that nobody has taken."""
        if self.read_paused:
            self.pong_timer = self.pending_ping_payload = None
            self.schedule_ping()
        else:
            super().keepalive_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(exc)
        self._give_back()
        if self._open_connections is not None:
            self._open_connections.leave(self._peer)

    def take_over(self, open_connections: OpenConnections, peer: str) -> None:
        """Leave these when the connection is lost, which it has entered under that address."""
        self._open_connections, self._peer = open_connections, peer


class _Pipeline(list[Any]):
    """As much of a deque as uvicorn uses for requests that come while another one is answered."""

    def appendleft(self, request: Any) -> None:
        self.insert(0, request)


class _MessageQueue:
    """As much of an asyncio.Queue as uvicorn uses for what a client sent: one task reads."""

    __slots__ = ("_arrived", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._arrived = _ListEvent(value=False)

    def put_nowait(self, message: Any) -> None:
        self._waiting.append(message)
        self._arrived.set()

    async def get(self) -> Any:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.pop(0)

    def empty(self) -> bool:
        return not self._waiting


class _ListEvent(asyncio.Event):
    """An event that holds its waiters, hardly ever more than one, in a list."""

    def __init__(self, *, value: bool) -> None:
        self._waiters = cast(Any, [])
        self._value = value
