"""The error responses over HTTP, by status."""

from gateway.docs import headers
from gateway.docs.json_schema import Node, named_examples, ref
from gateway.docs.schemas import error
from wire.reasons import Reason

THROTTLED = Reason.ACCOUNT_THROTTLED

_WHEN = {
    401: "The server wants an API key, and it is missing or wrong.",
    403: "A browser asks for a page whose origin is not in the server's CORS_ORIGINS.",
    404: "Nothing there: an unknown path, or an answer that is unknown or no longer kept.",
    408: "The body didn't arrive in time.",
    413: "The body is larger than the server's MAX_MESSAGE.",
    414: "The address is longer than 64 KiB.",
    415: "The body is compressed: it has to be sent as it is, without a Content-Encoding.",
    421: "The server's ALLOWED_HOSTS lacks the name in the address.",
    422: "The Idempotency-Key was used for another question, or is too short or too long.",
    429: "This client has as many questions waiting or running as it may.",
    431: "The headers are larger than 64 KiB, or more than 100.",
    500: "The upstream failed, broke off or was too slow.",
    503: "Too much waits, no account may be asked now, the gateway goes down, or Redis is away. Nothing was spent.",
}
_EXAMPLES = {
    401: Reason.REQUEST_UNAUTHORIZED,
    403: Reason.REQUEST_ORIGIN,
    404: Reason.ANSWER_UNKNOWN,
    408: Reason.REQUEST_SLOW,
    413: Reason.REQUEST_TOO_LARGE,
    414: Reason.REQUEST_ADDRESS,
    415: Reason.REQUEST_ENCODING,
    421: Reason.REQUEST_HOST,
    422: Reason.KEY_REUSED,
    429: Reason.CLIENT_LIMIT,
    431: Reason.REQUEST_HEADERS,
    500: Reason.UPSTREAM_INTERNAL,
    503: Reason.QUEUE_FULL,
}
_HEADERS = {429: ["Retry-After"], 500: ["X-Answer-ID", "X-Provider"], 503: ["Retry-After", "X-Answer-ID", "X-Provider"]}


def responses() -> dict[str, Node]:
    """Return all of them, by name."""
    return {f"Error{status}": _response(status) for status in _WHEN}


def references(*statuses: int) -> Node:
    """Return references to the responses of some statuses."""
    return {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in statuses}


def _response(status: int) -> Node:
    return {
        "description": _WHEN[status],
        "headers": headers.header_refs("X-Request-ID", *_HEADERS.get(status, [])),
        "content": {"application/json": {"schema": ref("Error"), "examples": _examples(status)}},
    }


def _examples(status: int) -> Node:
    reason = _EXAMPLES[status]
    return named_examples(Chinese=error(reason), English=error(reason, english=True))
