"""The error responses under /v1, by status."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException

from gateway.docs import headers
from gateway.docs.json_schema import Node, ref
from gateway.errors import FORMAT, AnswerUnknownError, DeadlineError, DrainingError, KeyLengthError, RefusedError
from gateway.openai.errors import BY_REASON, BY_STATUS, AnswerFailedError, Fault, InvalidRequestError, fault_of
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

_PREVIOUS = "resp_s0-5f1c0c7e2b9d4a6f8e3a1b2c3d4e5f60"
# One of each kind that a client can get.
ERRORS: Sequence[Exception] = (
    InvalidRequestError("The body of your request is not valid JSON.", code="invalid_json"),
    InvalidRequestError("'tools' is not supported here.", "tools", "unsupported_parameter"),
    InvalidRequestError("'messages' must end with a message of the user.", "messages", "invalid_value"),
    InvalidRequestError(
        f"The conversation does not go on from '{_PREVIOUS}': it is unknown, or not the last response.",
        "previous_response_id",
        "previous_response_not_found",
    ),
    InvalidRequestError(
        "The model 'gpt' does not exist; there are bing-balanced, bing-creative, bing-precise.",
        "model",
        "model_not_found",
        404,
    ),
    RefusedError(FORMAT),
    *(HTTPException(status) for status in BY_STATUS if status != 405),
    KeyLengthError(16, 255),
    KeyReusedError(),
    KeySpentError(),
    ClientFullError(5),
    TokenUnknownError(),
    QueueFullError(5),
    StoreUnavailableError(),
    DrainingError(),
    AnswerUnknownError(),
    AnswerGoneError(),
    DeadlineError(),
    *(AnswerFailedError(Failed(500, "", reason)) for reason in BY_REASON),
    AnswerFailedError(Failed(500, "", "timeout.first")),
    AnswerFailedError(Failed(500, "", "transport.closed")),
    AnswerFailedError(Failed(503, "", "account.busy", retry_after=30)),
)
TYPES = sorted({fault_of(error).type for error in ERRORS})
_WHEN = {
    400: "The request can't be served, or the upstream refused its question.",
    401: "The server wants an API key, and it is missing or wrong.",
    404: "No such model or answer, or it is no longer kept.",
    408: "The body didn't arrive in time.",
    413: "The body is larger than the server's MAX_BODY.",
    422: "The Idempotency-Key was used for another question, or is too short or too long.",
    429: "This client has as many questions waiting or running as it may, or all accounts are out of quota.",
    500: "The upstream failed, broke off or was too slow.",
    503: "The server is busy, going down, or has no account that may be asked now. Nothing was spent.",
}


def responses() -> dict[str, Node]:
    """Return all of them, by name."""
    return {f"Fault{status}": _response(status) for status in _WHEN}


def references(*statuses: int) -> Node:
    """Return references to the responses of some statuses."""
    return {str(status): {"$ref": f"#/components/responses/Fault{status}"} for status in statuses}


def _response(status: int) -> Node:
    found = [fault for error in ERRORS if (fault := fault_of(error)).status == status]
    return {
        "description": _WHEN[status],
        "headers": headers.header_refs("X-Request-ID", "X-Answer-ID", "X-Provider", "Retry-After", "x-should-retry"),
        "content": {
            "application/json": {
                "schema": ref("ApiError"),
                "examples": {_name(fault): {"value": {"error": fault.error}} for fault in found},
            }
        },
    }


def _name(fault: Fault) -> str:
    return f"{fault.code or fault.type}".replace(" ", "_")
