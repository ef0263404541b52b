"""Refuses what a browser asks for another site's page, or by a name that isn't this service's."""

import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.auth.clients import Clients
from gateway.auth.origins import ServedOrigins
from gateway.errors import RefusedError
from gateway.http.responses import Renderer
from wire.reasons import Reason

# The seconds between two log lines of one kind, and the characters of a header in them: anybody can send either.
_LOG_PAUSE, _LOGGED = 60.0, 200
_ADVICE = {
    Reason.REQUEST_ORIGIN: "a page of another site was refused: CORS_ORIGINS lists the origins whose pages may ask",
    Reason.REQUEST_HOST: "a request by an unknown name was refused: ALLOWED_HOSTS lists the names of this service",
}
_LOG = structlog.get_logger()


class OriginMiddleware:
    """Refuses requests and sockets of pages and by names that aren't `served`. It leaves no frame in an open stream."""

    def __init__(
        self,
        app: ASGIApp,
        served: ServedOrigins,
        clients: Clients,
        render: Renderer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._served = served
        self._clients = clients
        self._render = render
        self._clock = clock
        self._log_after: dict[Reason, float] = {}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve ASGI."""
        if scope["type"] == "lifespan":
            return self._app(scope, receive, send)
        request = HTTPConnection(scope)
        own = self._clients.find_origin(request) if "origin" in request.headers else ""
        reason = self._served.find_refusal(scope.get("method", "GET"), scope["path"], request.headers, own)
        return self._app(scope, receive, send) if reason is None else self._refuse(reason, request, receive, send)

    async def _refuse(self, reason: Reason, request: HTTPConnection, receive: Receive, send: Send) -> None:
        self._log(reason, request)
        response = await self._render(request, RefusedError(reason))
        await response(request.scope, receive, send)

    def _log(self, reason: Reason, request: HTTPConnection) -> None:
        now, headers = self._clock(), request.headers
        if now >= self._log_after.get(reason, now):
            self._log_after[reason] = now + _LOG_PAUSE
            origin, host = (headers.get(name, "")[:_LOGGED] for name in ("origin", "host"))
            _LOG.warning(_ADVICE[reason], origin=origin, host=host)
