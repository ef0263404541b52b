"""The middleware of every request, without a server."""

from functools import partial
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from gateway.auth.origins import ServedOrigins
from gateway.http.error_metrics import ErrorMetrics
from gateway.http.middleware import (
    CorsMiddleware,
    ErrorMiddleware,
    RequestIdMiddleware,
    ResponseHeadersMiddleware,
)
from gateway.http.responses import error_response
from gateway.http.streaming import StreamMiddleware

pytestmark = pytest.mark.anyio


def scope(kind: str = "http", **headers: str) -> Scope:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": kind,
        "method": "GET",
        "path": "/",
        "headers": raw,
        "state": {"error_metrics": ErrorMetrics(), "english": False},
    }


async def sent_by(app: Any, scope: Scope) -> list[Message]:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, None, send)
    return messages


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("secret detail")


async def broken_late(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("secret detail")


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": f"{scope['type']}.fine"})


async def test_an_error_before_the_first_byte_becomes_a_500() -> None:
    start, body = await sent_by(ErrorMiddleware(broken, error_response), scope())
    assert start["status"] == 500
    assert body["body"] == '{"code": 500, "message": "未知错误"}'.encode()


async def test_the_log_of_an_error_has_the_route_and_not_the_id_in_the_path() -> None:
    async def fail(request: Request) -> Response:
        raise RuntimeError("broken")

    app = ErrorMiddleware(Router([Route("/answers/{answer}", fail)]), error_response)
    with capture_logs() as logs:
        await sent_by(app, {**scope(), "path": "/answers/s0-1"})
    assert [line["path"] for line in logs if line["event"] == "request failed"] == ["/answers/{answer}"]
    assert "s0-1" not in repr(logs)


async def test_an_error_after_the_first_byte_adds_nothing() -> None:
    assert [message["type"] for message in await sent_by(ErrorMiddleware(broken_late, error_response), scope())] == [
        "http.response.start"
    ]


_ERRORS = partial(ErrorMiddleware, render=error_response)


@pytest.mark.parametrize(
    "middleware",
    [
        RequestIdMiddleware,
        StreamMiddleware,
        ResponseHeadersMiddleware,
        partial(CorsMiddleware, served=ServedOrigins()),
        partial(ErrorMiddleware, render=error_response),
    ],
)
@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_what_is_no_request_passes_through(middleware: Any, kind: str) -> None:
    assert await sent_by(middleware(fine), scope(kind)) == [{"type": f"{kind}.fine"}]


async def test_an_id_that_would_break_a_header_is_replaced() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    (start,) = await sent_by(RequestIdMiddleware(ResponseHeadersMiddleware(app)), scope(**{"x-request-id": "a\r\nb"}))
    assert dict(start["headers"])[b"x-request-id"].isalnum()


APP, OTHER, FILE = "https://app.example", "https://other.example", "null"
PREFLIGHT = {"access-control-request-method": "POST"}


async def cors_of(served: ServedOrigins, path: str = "/api", **headers: str) -> dict[str, str]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"vary", b"accept")]})

    method = "OPTIONS" if "access-control-request-method" in headers else "GET"
    asked = {**scope(**headers), "path": path, "method": method}
    start, *_ = await sent_by(CorsMiddleware(app, served), asked)
    return {name.decode(): value.decode() for name, value in start["headers"]}


@pytest.mark.parametrize("served", [ServedOrigins(keys=True), ServedOrigins(frozenset({"*"}))])
@pytest.mark.parametrize("sent", [{}, {"origin": OTHER}, {"origin": OTHER} | PREFLIGHT])
async def test_where_all_origins_are_served_each_response_allows_all(
    served: ServedOrigins, sent: dict[str, str]
) -> None:
    headers = await cors_of(served, **sent)
    assert headers["access-control-allow-origin"] == "*"
    assert "Origin" not in headers.get("vary", "")


@pytest.mark.parametrize("origin", [APP, FILE])
async def test_a_listed_origin_is_allowed_by_its_name(origin: str) -> None:
    served = ServedOrigins(frozenset({APP, FILE}))
    headers = await cors_of(served, origin=origin)
    assert headers["access-control-allow-origin"] == origin
    assert headers["vary"] == "accept, Origin"
    assert "Retry-After" in headers["access-control-expose-headers"]
    assert "POST" in (await cors_of(served, origin=origin, **PREFLIGHT))["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("served", "vary"), [(ServedOrigins(), "accept"), (ServedOrigins(frozenset({APP}), keys=True), "accept, Origin")]
)
@pytest.mark.parametrize("sent", [{}, {"origin": OTHER}, {"origin": FILE}, {"origin": OTHER} | PREFLIGHT])
async def test_another_origin_is_allowed_nothing(served: ServedOrigins, vary: str, sent: dict[str, str]) -> None:
    assert await cors_of(served, **sent) == {"vary": vary}


@pytest.mark.parametrize("path", ["/console", "/console/live", "/metrics", "/readyz", "/healthz"])
@pytest.mark.parametrize("sent", [{"origin": APP}, {"origin": APP} | PREFLIGHT])
async def test_no_other_page_reads_what_is_for_operators(path: str, sent: dict[str, str]) -> None:
    for served in (ServedOrigins(keys=True), ServedOrigins(frozenset({"*"})), ServedOrigins(frozenset({APP}))):
        assert await cors_of(served, path, **sent) == {"vary": "accept"}
