"""What can go wrong under /v1, in the words and the shape of the OpenAI API.

InvalidRequestError   the request is at fault; says which parameter
AnswerFailedError     the answer failed before anything of it was told

The SDKs try 408, 409, 429 and 5xx again by themselves: `x-should-retry` tells them when that may cost a second time, or
leads to nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from gateway.errors import AnswerUnknownError, DeadlineError, DrainingError, KeyLengthError, RefusedError
from wire.errors import (
    AnswerGoneError,
    ClientFullError,
    KeyReusedError,
    KeySpentError,
    QueueFullError,
    StoreUnavailableError,
    TokenUnknownError,
)
from wire.messages import Failed

PREFIX = "/v1/"
# The longest pause in seconds that the SDKs keep to before they try again.
_LONGEST_PAUSE = 60


@dataclass(frozen=True)
class Fault:
    """What a client is told. `again`: it may send the same request again; `retry_after` is in seconds."""

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    again: bool = False
    retry_after: int | None = None

    @property
    def error(self) -> dict[str, str | None]:
        """The error object."""
        return {"message": self.message, "type": self.type, "param": self.param, "code": self.code}

    def response(self) -> Response:
        """The whole response."""
        again = self.again and (self.retry_after or 0) <= _LONGEST_PAUSE
        headers = {"cache-control": "no-store", "x-should-retry": "true" if again else "false"}
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        return Response(msgspec.json.encode({"error": self.error}), self.status, headers, "application/json")


class InvalidRequestError(Exception):
    """A request that can't be served, for a reason that its sender can read."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.fault = Fault(status, message, code=code, param=param)


class AnswerFailedError(Exception):
    """An answer that failed before anything of it was told."""

    def __init__(self, event: Failed) -> None:
        super().__init__(event.reason)
        self.fault = failed(event)


UNKNOWN = Fault(500, "The server had an error while processing your request.", "server_error")
BUSY = "The server is busy, try again later."
_REFUSED = "The question was refused by the upstream."

BY_STATUS = {
    401: Fault(401, "Incorrect or missing API key.", "authentication_error", "invalid_api_key"),
    404: Fault(404, "Unknown request URL.", code="unknown_url"),
    405: Fault(405, "This method is not allowed here.", code="method_not_allowed"),
    408: Fault(408, "The request body did not arrive in time.", code="request_timeout", again=True),
    413: Fault(413, "The request body is too large.", code="request_too_large"),
}

# What is told of an answer's own end, by its reason.
BY_REASON = {
    "account.throttled": Fault(429, "All accounts are out of quota.", "insufficient_quota", "insufficient_quota"),
    "session.toolong": Fault(400, "The conversation is too long for the model.", code="context_length_exceeded"),
    "question.refused": Fault(400, _REFUSED, code="content_filter"),
    "image.blocked": Fault(400, "The prompt was blocked.", code="content_policy_violation", param="prompt"),
    "image.reviewed": Fault(400, "The prompt is under review.", code="content_policy_violation", param="prompt"),
    "image.unsupported_lang": Fault(400, "The prompt's language is not supported.", param="prompt"),
    "interrupted": Fault(500, "The answer was interrupted.", "server_error"),
    "cancelled": Fault(500, "Nobody waited for the answer, so the question was cancelled.", "server_error"),
    "state.lost": Fault(500, "The server has lost the answer.", "server_error"),
    "account.none": Fault(500, "No upstream account can be asked.", "server_error"),
    "answer.empty": Fault(500, "The upstream gave no answer.", "server_error"),
    "session.limit": Fault(
        500, "The conversation has reached its limit; the next question begins a new one.", "server_error"
    ),
    "session.disengaged": Fault(500, "The upstream ended the conversation.", "server_error"),
}


def failed(event: Failed) -> Fault:
    """What is told of an answer that failed. Nothing was spent where it says when to come back."""
    fault = BY_REASON.get(event.reason)
    if fault is None:
        slow = event.reason.startswith("timeout.") or event.reason.endswith(".timeout")
        fault = Fault(500, "The upstream took too long." if slow else "The upstream failed.", "server_error")
    code, again = fault.code or event.reason, event.retry_after is not None
    if event.code == 503:
        return Fault(503, BUSY, "service_unavailable", code, None, True, event.retry_after)
    return Fault(fault.status, fault.message, fault.type, code, fault.param, again, event.retry_after)


def _busy(code: str, retry_after: int) -> Fault:
    return Fault(503, BUSY, "service_unavailable", code, None, True, retry_after)


def _key_length(error: KeyLengthError) -> Fault:
    message = f"An Idempotency-Key must have {error.shortest} to {error.longest} characters."
    return Fault(422, message, code="key.length")


# Looked up along an error's class tree: the most specific entry wins.
TABLE: Mapping[type[Exception], Callable[[Any], Fault]] = {
    InvalidRequestError: lambda error: error.fault,
    AnswerFailedError: lambda error: error.fault,
    RefusedError: lambda _: Fault(400, "The request can't be understood.", code=None),
    HTTPException: lambda error: BY_STATUS.get(error.status_code, UNKNOWN),
    KeyLengthError: _key_length,
    KeyReusedError: lambda _: Fault(422, "The Idempotency-Key was used for another question.", code="key.reused"),
    KeySpentError: lambda _: Fault(404, "The Idempotency-Key's answer is no longer kept.", code="key.spent"),
    ClientFullError: lambda error: Fault(
        429, "Too many requests at once.", "rate_limit_error", "rate_limit_exceeded", None, True, error.retry_after
    ),
    TokenUnknownError: lambda _: Fault(404, "There is no such conversation.", code="not_found"),
    QueueFullError: lambda error: _busy("queue.full", error.retry_after),
    StoreUnavailableError: lambda _: _busy("store.unavailable", 2),
    DrainingError: lambda _: _busy("gateway.draining", 1),
    AnswerUnknownError: lambda _: Fault(404, "There is no such answer, or it is no longer kept.", code="not_found"),
    AnswerGoneError: lambda _: Fault(500, "The server has lost the answer.", "server_error", "state.lost"),
    DeadlineError: lambda _: Fault(500, "The answer took too long.", "server_error", "timeout.gateway"),
}


def tell(request: HTTPConnection, error: Exception) -> Response:
    """How an error is told over HTTP. A question that was accepted may be answered all the same: not to be repeated."""
    fault = fault_of(error)
    accepted = hasattr(request.state, "answer") and "idempotency-key" not in request.headers
    if accepted and not isinstance(error, AnswerFailedError):
        fault = replace(fault, again=False)
    return fault.response()


def fault_of(error: Exception) -> Fault:
    """How a client is told of `error`."""
    for kind in type(error).__mro__:
        if kind in TABLE:
            return TABLE[kind](error)
    return UNKNOWN
