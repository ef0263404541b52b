"""Plain JSON responses, and the errors of the drop-in endpoints."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from gateway.errors import Problem, problem_of

# A number in a body.
Count = Annotated[int, msgspec.Meta(ge=0)]
NO_STORE = {"cache-control": "no-store"}
# Makes the response to a request that failed, and counts the error.
Renderer = Callable[[HTTPConnection, Exception], Awaitable[Response]]
_encode = json.JSONEncoder(ensure_ascii=False).encode


def encode_error(problem: Problem) -> bytes:
    """Return an error as the drop-in endpoints and their frames have it: key order and separators are fixed."""
    return _encode({"code": problem.code, "message": problem.message}).encode("utf-8", "replace")


def ok(body: bytes) -> Response:
    """Return a success."""
    return Response(body, media_type="application/json", headers=NO_STORE)


def problem_response(problem: Problem) -> Response:
    """Return an error, with the time to come back if there is one."""
    response = Response(
        encode_error(problem), status_code=problem.status, media_type="application/json", headers=NO_STORE
    )
    if problem.retry_after is not None:
        response.headers["retry-after"] = str(problem.retry_after)
    return response


def options(methods: Iterable[str]) -> Response:
    """Return the response to OPTIONS."""
    return Response(status_code=204, headers={"allow": ", ".join(methods)})


def empty(request: Request, methods: Iterable[str], media_type: str = "application/json") -> Response:
    """Return the response to HEAD and OPTIONS of an endpoint that asks a question: they ask none."""
    return Response(media_type=media_type) if request.method == "HEAD" else options(methods)


async def error_response(request: HTTPConnection, error: Exception) -> Response:
    """Return the response to a request that failed, in the client's language."""
    problem = problem_of(error, request.state.english)
    request.state.error_metrics.count(problem)
    return with_error_headers(problem_response(problem), error)


def with_error_headers(response: Response, error: Exception) -> Response:
    """Add the headers that an exception has with it."""
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response
