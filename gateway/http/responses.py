"""Plain JSON responses."""

import json
from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from gateway.errors import UNKNOWN, Problem, prefers_english, problem_of
from gateway.openai import errors as openai

NO_STORE = {"cache-control": "no-store"}
_encode = json.JSONEncoder(ensure_ascii=False).encode


def encode_error(code: int, message: str) -> bytes:
    """Return an error as the drop-in endpoints and their frames have it: key order and separators are fixed."""
    return _encode({"code": code, "message": message}).encode("utf-8", "replace")


def ok(body: bytes) -> Response:
    """A success."""
    return Response(body, media_type="application/json", headers=NO_STORE)


def refusal(problem: Problem) -> Response:
    """An error, with the time to come back if there is one."""
    response = Response(
        encode_error(problem.code, problem.message),
        status_code=problem.status,
        media_type="application/json",
        headers=NO_STORE,
    )
    if problem.retry_after is not None:
        response.headers["retry-after"] = str(problem.retry_after)
    return response


def unknown(path: str) -> Response:
    """What a client is told of an error that no table knows."""
    return openai.UNKNOWN.response() if path.startswith(openai.PREFIX) else refusal(UNKNOWN)


def allowed(methods: Iterable[str]) -> Response:
    """The answer to OPTIONS."""
    return Response(status_code=204, headers={"allow": ", ".join(methods)})


def nothing(request: Request, methods: Iterable[str], media_type: str = "application/json") -> Response:
    """The answer to HEAD and OPTIONS, which must ask nothing."""
    return Response(media_type=media_type) if request.method == "HEAD" else allowed(methods)


async def tell(request: HTTPConnection, error: Exception) -> Response:
    """How an error of the tables is told over HTTP."""
    english = prefers_english(request.headers.get("accept-language", ""))
    problem = problem_of(error, english)
    if request.url.path.startswith(openai.PREFIX):
        response = openai.tell(request, error)
        # An answer that failed was one: its end is counted as such.
        if not isinstance(error, openai.AnswerFailedError):
            request.state.error_metrics.count(problem or Problem(response.status_code, ""))
    else:
        response = refusal(problem or UNKNOWN)
        request.state.error_metrics.count(problem or UNKNOWN)
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response
