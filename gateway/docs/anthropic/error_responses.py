"""The error responses of the Anthropic API, by status."""

from collections.abc import Sequence

import msgspec

from gateway.anthropic.errors import error_of, status_of
from gateway.docs import headers
from gateway.docs.json_schema import Node, ref
from gateway.docs.openai.error_responses import FAULTS as OPENAI_FAULTS
from gateway.openai.errors import Fault, InvalidRequestError

_OF_OTHERS = ("previous_response_not_found", "content_policy_violation")
FAULTS: Sequence[Fault] = (
    InvalidRequestError("You must provide 'max_tokens'.", "max_tokens", "invalid_type").fault,
    *(fault for fault in OPENAI_FAULTS if fault.code not in _OF_OTHERS),
)
_WHEN = {
    400: "The request can't be served, or the upstream refused its question.",
    401: "The server wants an API key, and it is missing or wrong.",
    403: "A browser asks for a page whose origin is not in the server's CORS_ORIGINS.",
    404: "No such model, or an answer that is no longer kept.",
    408: "The body didn't arrive in time.",
    413: "The body is larger than the server's MAX_BODY.",
    414: "The address is longer than 64 KiB.",
    415: "The body is compressed.",
    421: "The server's ALLOWED_HOSTS lacks the name in the address.",
    422: "The Idempotency-Key was used for another question, or is too short or too long.",
    429: "This client has as many questions waiting or running as it may, or all accounts are out of quota.",
    431: "The headers are larger than 64 KiB, or more than 100.",
    500: "The upstream failed or broke off.",
    503: "This gateway goes down, or can't reach Redis. Nothing was spent.",
    504: "The upstream was too slow.",
    529: "The server is busy, or has no account that may be asked now. Nothing was spent.",
}
_HEADERS = (
    *("X-Request-ID", "Request-ID", "X-Answer-ID", "X-Provider", "X-Ignored-Parameters"),
    *("Retry-After", "x-should-retry"),
)


def responses() -> dict[str, Node]:
    """Return all of them, by name."""
    return {f"MessageFault{status}": _response(status) for status in _WHEN}


def references(*statuses: int) -> Node:
    """Return references to the responses of some statuses."""
    return {str(status): {"$ref": f"#/components/responses/MessageFault{status}"} for status in statuses}


def _response(status: int) -> Node:
    faults = {fault.code or fault.type: fault for fault in FAULTS if status_of(fault) == status}
    return {
        "description": _WHEN[status],
        "headers": headers.header_refs(*_HEADERS),
        "content": {
            "application/json": {
                "schema": ref("MessagesError"),
                "examples": {
                    name: {"value": msgspec.to_builtins(error_of(fault, "my-request-1"))}
                    for name, fault in faults.items()
                },
            }
        },
    }


def faults_of_both(*statuses: int) -> Node:
    """Return the responses of endpoints that the API shares with that of OpenAI."""
    shape = {"anyOf": [ref("ApiError"), ref("MessagesError")]}
    return {
        str(status): {
            "description": _WHEN[status],
            "headers": headers.header_refs(*_HEADERS),
            "content": {"application/json": {"schema": shape}},
        }
        for status in statuses
    }
