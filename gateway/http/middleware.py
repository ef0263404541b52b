"""The middleware of every request: its id, CORS, tracing, and a last resort for errors. Plain ASGI.

StreamMiddleware is in gateway.http.streaming.
"""

import re
import secrets
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.answering.drain import ActiveRequests
from gateway.auth.origins import ServedOrigins
from gateway.errors import ClientGoneError, prefers_english, problem_of
from gateway.http.paths import is_anthropic
from gateway.http.responses import Renderer
from telemetry import traces

_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_LOG = structlog.get_logger()
_ALLOWED = "access-control-allow-origin"
_CORS = {
    "access-control-expose-headers": "X-Answer-ID, X-Provider, X-Ignored-Parameters, X-Request-ID, "
    "X-Should-Retry, Retry-After, Request-ID",
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
    "access-control-allow-headers": "Authorization, X-API-Key, Idempotency-Key, Last-Event-ID, Content-Type, Prefer, "
    # Clients of the OpenAI and the Anthropic API send a dozen of their own.
    "X-Conversation-ID, *",
    "access-control-max-age": "86400",
}
# What is for whoever runs the service is for no page but its own.
_OWN_ONLY = ("/console", "/metrics", "/readyz", "/healthz")
# The paths of requests for answers; an open console or a health check is no work to be traced.
_TRACED = ("/api", "/image", "/answers/", "/v1/")


class RequestIdMiddleware:
    """Gives each request an id, the client's own if it is valid.

    Endpoints find it in `request.state.request_id`, and set `request.state.answer` once a question is accepted,
    `request.state.provider` once that is known, and `request.state.ignored` to the parameters that are ignored. A
    request with a `traceparent` continues that trace.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        self._enter(Headers(scope=scope), state, receive, send)
        try:
            await self._app(scope, receive, send)
        finally:
            # They refer to the server's request, and that to its scope: both would stay until the collector runs.
            del state["receive"], state["send"]

    @staticmethod
    def _enter(headers: Headers, state: dict[str, Any], receive: Receive, send: Send) -> None:
        traces.set_current(headers.get("traceparent", ""))
        sent = headers.get("x-request-id", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)
        state["request_id"] = request_id
        state |= {"receive": receive, "send": send}
        state["english"] = prefers_english(headers.get("accept-language", ""))
        structlog.contextvars.bind_contextvars(request=request_id)


class ResponseHeadersMiddleware:
    """Adds X-Request-ID, X-Answer-ID, X-Provider and X-Ignored-Parameters to the response.

    The Anthropic API has the request's id also in a header of its own.
    It leaves the response's status in the request's state; an open socket's is 101.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state, anthropic = scope["state"], is_anthropic(scope["path"], Headers(scope=scope))

        async def sending(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                state["status"] = message.get("status", 101)
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = state["request_id"]
                if anthropic:
                    headers["request-id"] = state["request_id"]
                if "answer" in state:
                    headers["x-answer-id"] = state["answer"]
                if state.get("provider"):
                    headers["x-provider"] = state["provider"]
                if state.get("ignored"):
                    headers["x-ignored-parameters"] = ", ".join(state["ignored"])
            await send(message)

        await self._app(scope, receive, sending)


class DrainMiddleware:
    """Closes each connection behind its response while the process drains, so that its client goes elsewhere.

    Endpoints find the process's requests in `request.state.active_requests`.
    """

    def __init__(self, app: ASGIApp, active_requests: ActiveRequests) -> None:
        self._app = app
        self._active_requests = active_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["state"]["active_requests"] = self._active_requests

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and self._active_requests.draining:
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, sending)


class TracingMiddleware:
    """Makes a span of each HTTP request for an answer. Of a socket, each question is a span."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith(_TRACED):
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


def is_preflight(scope: Scope) -> bool:
    """Return whether the request is a CORS preflight: browsers send it by themselves, before a page's own request."""
    return scope.get("method") == "OPTIONS" and "access-control-request-method" in Headers(scope=scope)


class CorsMiddleware:
    """Allows pages of the served origins to read every response, errors included, without credentials."""

    def __init__(self, app: ASGIApp, served: ServedOrigins) -> None:
        self._app = app
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
        if scope["type"] != "http" or scope["path"].startswith(_OWN_ONLY):
            await self._app(scope, receive, send)
            return
        cors = self._headers(scope)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(cors)
                if self._served.lists_some():
                    headers.add_vary_header("Origin")
            await send(message)

        is_answered = is_preflight(scope) and _ALLOWED in cors
        app = Response(status_code=204, headers=_PREFLIGHT) if is_answered else self._app
        await app(scope, receive, sending)

    def _headers(self, scope: Scope) -> dict[str, str]:
        if self._served.allows_all():
            return {_ALLOWED: "*"} | _CORS
        origin = Headers(scope=scope).get("origin", "")
        return {_ALLOWED: origin} | _CORS if self._served.allows(origin) else {}


class ErrorMiddleware:
    """Answers an unexpected error with a 500 and logs its cause; a client that left is no error."""

    def __init__(self, app: ASGIApp, render: Renderer) -> None:
        self._app = app
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve ASGI."""
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
        except Exception as error:  # noqa: BLE001 - the last resort: no client gets a traceback
            # The path itself may have an answer's id in it.
            _LOG.error("request failed", path=getattr(scope.get("route"), "path", ""), exc_info=error)
            if started:
                scope["state"]["error_metrics"].count(problem_of(error))
            else:
                response = await self._render(Request(scope), error)
                await response(scope, receive, send)
