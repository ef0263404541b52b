"""Plain JSON responses."""

from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from gateway import envelope
from gateway.errors import UNKNOWN, Problem, prefers_english, problem_of

NO_STORE = {"cache-control": "no-store"}


def ok(body: bytes) -> Response:
    """A success."""
    return Response(body, media_type="application/json", headers=NO_STORE)


def refusal(problem: Problem) -> Response:
    """An error, with the time to come back if there is one."""
    response = Response(
        envelope.error(problem.code, problem.message),
        status_code=problem.status,
        media_type="application/json",
        headers=NO_STORE,
    )
    if problem.retry_after is not None:
        response.headers["retry-after"] = str(problem.retry_after)
    return response


def allowed(methods: Iterable[str]) -> Response:
    """The answer to OPTIONS."""
    return Response(status_code=204, headers={"allow": ", ".join(methods)})


async def tell(request: HTTPConnection, error: Exception) -> Response:
    """How an error of the table is told over HTTP."""
    english = prefers_english(request.headers.get("accept-language", ""))
    problem = problem_of(error, english) or UNKNOWN
    request.state.refusals.note(problem)
    response = refusal(problem)
    if isinstance(error, HTTPException):
        response.headers.update(error.headers or {})
    return response
