"""The table of errors in the shape of the OpenAI API: what can go wrong under /v1.

InvalidRequestError   the request is at fault; has the parameter
AnswerFailedError     the answer failed before anything of it was sent

The SDKs repeat 408, 409, 429 and 5xx by themselves: `x-should-retry` is false where that may cost a second time, or is
of no use. Within a stream there is neither a status nor a header, and clients decide by the error's type and code; see
docs/decisions/0037-one-event-ends-a-failing-stream.md.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import HTTPConnection
from starlette.responses import Response

from gateway.errors import ERRORS, ErrorSpec, Problem, failure_of, fill_in, find_reason, is_limited_briefly, problem_of
from gateway.http.responses import with_error_headers
from wire.messages import Failed
from wire.reasons import Reason

# The longest pause in seconds that the SDKs keep to before they try again.
_LONGEST_PAUSE = 60
# Characters of an error's sentence, and of the name of a parameter.
_LONGEST_WORDS = 2000
_LIMITED = "All accounts are limited for the moment."
_TIMEOUTS = ("timeout.", ".timeout")
# What no client repeats within a stream: the type of an error there, the codes of a response's error, and both of
# those of a limit. AI SDK repeats an error unless its type or code says `invalid` or `insufficient_quota`, Codex a
# failed response unless its code is one of these.
_FINAL_TYPE, _FINAL_CODE, _FINAL_LIMIT = "invalid_request_error", "invalid_prompt", "insufficient_quota"
_FINAL_CODES = (_FINAL_CODE, _FINAL_LIMIT, "context_length_exceeded")


class ErrorDetails(msgspec.Struct, kw_only=True):
    """An error as the SDKs read it."""

    message: str
    type: str
    param: Annotated[str | None, Meta(description="The invalid field.")]
    code: Annotated[
        str | None, Meta(description="The reason: one of OpenAI's, or the gateway's own, such as `queue.full`.")
    ]


class ApiError(msgspec.Struct):
    """An error under /v1."""

    error: ErrorDetails


@dataclass(frozen=True)
class Fault:
    """What a client gets. `again`: it may send the same request again; `retry_after` is in seconds."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    again: bool = False
    retry_after: int | None = None

    @property
    def body(self) -> ApiError:
        """The body of a response."""
        return ApiError(ErrorDetails(message=self.message, type=self.type, param=self.param, code=self.code))

    @property
    def streamed(self) -> ApiError:
        """The body as an event of a stream, with a type that no client repeats unless it may."""
        kind = _FINAL_LIMIT if self.status == 429 else _FINAL_TYPE
        return (self if self.repeatable else replace(self, type=kind)).body

    @property
    def response_code(self) -> str:
        """The code in a failed response of /v1/responses: one that no client repeats unless it may."""
        code = self.code or self.type
        if self.repeatable or code in _FINAL_CODES:
            return code
        return _FINAL_LIMIT if self.status == 429 else _FINAL_CODE

    @property
    def repeatable(self) -> bool:
        """Whether a client may send the same request again by itself, which costs nothing and may help."""
        return self.again and (self.retry_after or 0) <= _LONGEST_PAUSE

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a response, whatever the shape of its body."""
        headers = {"cache-control": "no-store", "x-should-retry": "true" if self.repeatable else "false"}
        return headers if self.retry_after is None else headers | {"retry-after": str(self.retry_after)}

    def response(self) -> Response:
        """Return the whole response."""
        return Response(msgspec.json.encode(self.body), self.status, self.headers, "application/json")


class InvalidRequestError(Exception):
    """A request that can't be served, for a reason that its sender can read."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        # Some have words of the request in them, which may have megabytes.
        self.fault = Fault(status, message[:_LONGEST_WORDS], code=code, param=param and param[:_LONGEST_WORDS])


class AnswerFailedError(Exception):
    """An answer that failed before anything of it was sent."""

    def __init__(self, event: Failed) -> None:
        super().__init__(event.reason)
        self.fault = fault_of_failure(event)


HANDLED = (InvalidRequestError, AnswerFailedError)


def fault_of_spec(spec: ErrorSpec, retry_after: int | None = None) -> Fault:
    """Return what the table has for the OpenAI API."""
    own = spec.openai
    status = spec.status if own.status is None else own.status
    return Fault(status, own.message, own.type, own.code, own.param, spec.retryable, retry_after)


def fault_of_failure(event: Failed) -> Fault:
    """Return what a client gets for an answer that failed. With a time to come back, nothing was spent."""
    known = event.reason in ERRORS
    fault = fault_of_spec(ERRORS[Reason(event.reason)]) if known else _of_another_version(event.reason)
    if event.detail:
        fault = replace(fault, message=event.detail, param=event.param or fault.param)
    again = event.retry_after is not None and not event.exhausted
    if failure_of(event).code == 503:
        if known and ERRORS[Reason(event.reason)].status == 503:
            return replace(fault, retry_after=event.retry_after)
        busy = fault_of_spec(ERRORS[Reason.QUEUE_TIMEOUT], event.retry_after)
        return replace(busy, message=fault.message, code=fault.code, again=again)
    if is_limited_briefly(event):
        fault = replace(fault, type="rate_limit_error", code="rate_limit_exceeded", message=_LIMITED)
    return replace(fault, again=again, retry_after=event.retry_after)


def _of_another_version(reason: str) -> Fault:
    like = Reason.TIMEOUT_TOTAL if is_slow(reason) else Reason.UPSTREAM_INTERNAL
    return replace(fault_of_spec(ERRORS[like]), code=reason)


def is_slow(reason: str) -> bool:
    """Return whether a reason, maybe one of another version, is that something took too long."""
    return reason.startswith(_TIMEOUTS[0]) or reason.endswith(_TIMEOUTS[1])


def fault_of(error: Exception) -> Fault:
    """Return what a client gets for an exception."""
    if isinstance(error, InvalidRequestError | AnswerFailedError):
        return error.fault
    fault = fault_of_spec(ERRORS[find_reason(error)], problem_of(error).retry_after)
    return replace(fault, message=fill_in(fault.message, error))


def fault_in_stream(error: Exception) -> Fault:
    """Return what a client gets for an exception within a stream: its question was accepted, and may be answered."""
    return replace(fault_of(error), again=False)


async def error_response(request: HTTPConnection, error: Exception) -> Response:
    """Return the response to a request that failed."""
    return with_error_headers(count_fault(request, error).response(), error)


def count_fault(request: HTTPConnection, error: Exception) -> Fault:
    """Count the error of a request and return what its client gets.

    A question that was accepted may be answered all the same: it is not to be sent again.
    """
    fault = fault_of(error)
    accepted = hasattr(request.state, "answer") and "idempotency-key" not in request.headers
    # An answer that failed was one: its end is counted as such.
    if not isinstance(error, AnswerFailedError):
        invalid = isinstance(error, InvalidRequestError)
        request.state.error_metrics.count(Problem(fault.status, "") if invalid else problem_of(error))
        fault = replace(fault, again=fault.again and not accepted)
    return fault
