"""The errors in the shape of the Anthropic API: the same faults as in gateway.openai.errors, under its types.

What is 503 elsewhere is 529 here, but for what another gateway may do better: proxies try the next one on 503.
"""

from typing import Literal

import msgspec
from starlette.requests import HTTPConnection
from starlette.responses import Response

from gateway.http.responses import with_error_headers
from gateway.http.sse import SseFrame
from gateway.openai.errors import Fault, count_fault, is_slow
from wire.reasons import Reason

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "api_error",
    "timeout_error",
    "overloaded_error",
]
_TYPES: dict[int, ErrorType] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
OVERLOADED, TIMED_OUT = 529, 504
# Types by which clients ask again by themselves.
_REPEATED: tuple[ErrorType, ...] = ("rate_limit_error", "overloaded_error")
_OTHER_GATEWAYS = (Reason.GATEWAY_DRAINING, Reason.STORE_UNAVAILABLE)
# By this code the SDKs' tool runners know that they have to send the whole conversation each time.
NO_THREADS: Literal["thread_unsupported_request"] = "thread_unsupported_request"
_TOO_LONG, _TOO_LONG_WORDS = "context_length_exceeded", "prompt is too long"


class ThreadErrorDetails(msgspec.Struct):
    """What the SDKs read where a `thread` was asked for."""

    error_code: Literal["thread_unsupported_request"] = NO_THREADS


class MessagesErrorDetails(msgspec.Struct, kw_only=True):
    """What went wrong."""

    type: ErrorType
    message: str
    details: ThreadErrorDetails | msgspec.UnsetType = msgspec.UNSET


class MessagesError(msgspec.Struct, kw_only=True):
    """An error of the Anthropic API."""

    type: Literal["error"] = "error"
    error: MessagesErrorDetails
    request_id: str


def status_of(fault: Fault) -> int:
    """Return the HTTP status of a fault in this API."""
    if fault.status == 503 and fault.code not in _OTHER_GATEWAYS:
        return OVERLOADED
    if fault.status == 500 and is_slow(fault.code or ""):
        return TIMED_OUT
    return fault.status


def error_of(fault: Fault, request: str) -> MessagesError:
    """Return the error for a request of that id."""
    status = status_of(fault)
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    details = ThreadErrorDetails() if fault.code == NO_THREADS else msgspec.UNSET
    error = MessagesErrorDetails(type=kind, message=_message(fault), details=details)
    return MessagesError(error=error, request_id=request)


def error_frame(fault: Fault, request: str) -> SseFrame:
    """Return the error as the last event of a stream, with a type that no client repeats unless it may."""
    error = error_of(fault, request)
    if error.error.type in _REPEATED and not fault.repeatable:
        error.error.type = "api_error"
    return SseFrame(msgspec.json.encode(error), "error")


async def error_response(request: HTTPConnection, error: Exception) -> Response:
    """Return the response to a request that failed."""
    fault = count_fault(request, error)
    body = msgspec.json.encode(error_of(fault, request.state.request_id))
    response = Response(body, status_of(fault), fault.headers, "application/json")
    return with_error_headers(response, error)


def _message(fault: Fault) -> str:
    """Return the sentence. By these words clients know that they have to shorten their conversation."""
    if fault.code == _TOO_LONG and _TOO_LONG_WORDS not in fault.message.lower():
        return f"{_TOO_LONG_WORDS}: {fault.message}"
    return fault.message
