"""The error responses under /v1, by status."""

from collections.abc import Sequence

import msgspec

from gateway.docs import headers
from gateway.docs.json_schema import Node, ref
from gateway.errors import ERRORS as SPECS
from gateway.errors import EXPORT_REASONS
from gateway.openai.errors import Fault, InvalidRequestError, fault_of_failure, fault_of_spec
from wire.messages import Failed
from wire.reasons import Reason

_PREVIOUS = "resp_s0-5f1c0c7e2b9d4a6f8e3a1b2c3d4e5f60"
# One of each kind of invalid request.
ERRORS: Sequence[InvalidRequestError] = (
    InvalidRequestError("The body of your request is not valid JSON.", code="invalid_json"),
    InvalidRequestError("'tools' is not supported by the model 'bing-balanced'.", "tools", "unsupported_parameter"),
    InvalidRequestError("'messages' must end with a message of the user.", "messages", "invalid_value"),
    InvalidRequestError(
        f"Previous response with id '{_PREVIOUS}' not found: it, or one before it, is unknown or not kept.",
        "previous_response_id",
        "previous_response_not_found",
    ),
    InvalidRequestError(
        "The model 'gpt' does not exist; there are bing-balanced, bing-creative, bing-precise.",
        "model",
        "model_not_found",
        404,
    ),
)
# Those of the table that a client of /v1 can get, and one that says when to come back.
_NEVER = {*EXPORT_REASONS, Reason.REQUEST_METHOD, Reason.REQUEST_RATE, Reason.SOCKET_LIMIT}
FAULTS: Sequence[Fault] = (
    *(error.fault for error in ERRORS),
    *(fault_of_spec(spec) for reason, spec in SPECS.items() if reason not in _NEVER),
    fault_of_failure(Failed(Reason.ACCOUNT_NONE, retry_after=30)),
)
TYPES = sorted({fault.type for fault in FAULTS})
_WHEN = {
    400: "The request can't be served, or the upstream refused its question.",
    401: "The server wants an API key, and it is missing or wrong.",
    403: "A browser asks for a page whose origin is not in the server's CORS_ORIGINS.",
    404: "No such model or answer, or it is no longer kept.",
    408: "The body didn't arrive in time.",
    413: "The body is larger than the server's MAX_BODY.",
    414: "The address is longer than 64 KiB.",
    415: "The body is compressed: it has to be sent as it is, without a Content-Encoding.",
    421: "The server's ALLOWED_HOSTS lacks the name in the address.",
    422: "The Idempotency-Key was used for another question, or is too short or too long.",
    429: "This client has as many questions waiting or running as it may, or all accounts are out of quota.",
    431: "The headers are larger than 64 KiB, or more than 100.",
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
    faults = [fault for fault in FAULTS if fault.status == status]
    return {
        "description": _WHEN[status],
        "headers": headers.header_refs("X-Request-ID", "X-Answer-ID", "X-Provider", "Retry-After", "x-should-retry"),
        "content": {
            "application/json": {
                "schema": ref("ApiError"),
                "examples": {_name(fault): {"value": msgspec.to_builtins(fault.body)} for fault in faults},
            }
        },
    }


def _name(fault: Fault) -> str:
    return f"{fault.code or fault.type}".replace(" ", "_")
