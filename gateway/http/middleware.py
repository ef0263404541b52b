"""What surrounds every request: its id, CORS, and a last net for errors. Plain ASGI."""

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import UNKNOWN, ClientGoneError
from gateway.http.responses import unknown
from telemetry import traces

_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_LOG = structlog.get_logger()
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "X-Answer-ID, X-Provider, X-Request-ID, X-Should-Retry, Retry-After",
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
    "access-control-allow-headers": "Authorization, X-API-Key, Idempotency-Key, Last-Event-ID, Content-Type, Prefer, "
    # Libraries that speak the OpenAI API have a dozen of their own.
    "X-Conversation-ID, *",
    "access-control-max-age": "86400",
}
# What is asked for an answer's sake; an open console, or a look at the health, is no work to be traced.
_WITH_SPAN = ("/api", "/image", "/answers/", "/v1/")


def server_send(scope: Scope, send: Send) -> Send:
    """The server's own `send`, for what follows the start of a response: each layer in between would cost each delta.

    `send` itself where there are no layers.
    """
    found: Send = scope.get("state", {}).get("send", send)
    return found


def server_receive(scope: Scope, receive: Receive) -> Receive:
    """The server's own `receive`; see `server_send`."""
    found: Receive = scope.get("state", {}).get("receive", receive)
    return found


async def lasting(scope: Scope, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work`, which goes on for long, once all layers inside of Lasting have returned.

    What they hold (a dozen frames, the request) would else be held for as long, and each wake-up would climb through
    them. It is done at once where there are no layers. Nothing may be waited for between this and the endpoint's end.
    """
    if "lasting" in scope["state"]:
        scope["state"]["lasting"] = work
    else:
        await work()


class StreamMiddleware:
    """Stands around everything that is done with once a stream has begun; see `lasting`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope["state"]["lasting"] = None
        await self._app(scope, receive, send)
        work = scope["state"].pop("lasting")
        if work is not None:
            # Nobody asks any more what the client sent.
            scope["headers"].clear()
            scope["query_string"] = b""
            await work()


class RequestIdMiddleware:
    """Gives each request an id, the client's own if it is a sound one.

    Endpoints find it in `request.state.request_id`, and set `request.state.answer` once a question is accepted,
    `request.state.provider` when it is known who answers. A `traceparent` that came with it is the trace that
    everything for this request belongs to.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        self._enter(Headers(scope=scope), state, receive, send)
        try:
            await self._app(scope, receive, send)
        finally:
            # They keep the server's request, and that its scope: a request that is over would wait for the collector.
            del state["receive"], state["send"]

    @staticmethod
    def _enter(headers: Headers, state: dict[str, Any], receive: Receive, send: Send) -> None:
        traces.set_current(headers.get("traceparent", ""))
        sent = headers.get("x-request-id", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
        state["request_id"] = request_id
        state |= {"receive": receive, "send": send}
        structlog.contextvars.bind_contextvars(request=request_id)


class ResponseHeadersMiddleware:
    """Tells a request's id in a header, and so it does the answer's id and provider.

    The status that a request was answered with stays in its state; an open socket's is 101.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state = scope["state"]

        async def sending(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                state["status"] = message.get("status", 101)
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = state["request_id"]
                if "answer" in state:
                    headers["x-answer-id"] = state["answer"]
                if state.get("provider"):
                    headers["x-provider"] = state["provider"]
            await send(message)

        await self._app(scope, receive, sending)


class TracingMiddleware:
    """Makes a span of each HTTP request for an answer. A socket is no span: its questions are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith(_WITH_SPAN):
            await self._app(scope, receive, send)
            return
        request = scope["state"]["request_id"]
        with traces.start_span(
            scope["method"], "server", http_request_method=scope["method"], bing_request=request
        ) as span:
            await self._app(scope, receive, send)
            status: int = scope["state"].get("status", 0)
            span.set_attributes(http_route=getattr(scope.get("route"), "path", ""), http_response_status_code=status)
            if status >= 500:
                span.fail(str(status))


def preflight(scope: Scope) -> bool:
    """Whether a browser asks, for a page, whether it may ask: no client's request."""
    return scope.get("method") == "OPTIONS" and "access-control-request-method" in Headers(scope=scope)


class CorsMiddleware:
    """Lets pages of every origin read every answer, errors included, without credentials."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_CORS)
            await send(message)

        app = Response(status_code=204, headers=_PREFLIGHT) if preflight(scope) else self._app
        await app(scope, receive, sending)


class ErrorMiddleware:
    """Answers what no table knows with a 500, and logs its cause; a client that left is no error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speak ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except (ClientGoneError, ClientDisconnect):
            return
        except Exception as error:  # noqa: BLE001 - the last net: no client gets a traceback
            _LOG.error("request failed", path=scope["path"], exc_info=error)
            scope["state"]["refusals"].note(UNKNOWN)
            if not started:
                await unknown(scope["path"])(scope, receive, send)
