"""The parts of a request that several protocols share: query, JSON object, Prefer and Idempotency-Key."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from gateway.errors import RefusedError
from wire.json_values import MAX_MESSAGE_VALUES, has_too_many_values
from wire.reasons import Reason

Fields = dict[str, str]

# The longest time in seconds that a client may ask to wait for an account.
MAX_WAIT = 300.0
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?=$|[,;])', re.ASCII | re.IGNORECASE)
MAX_FIELDS = 1000


def parse_query(query_string: bytes) -> Fields:
    """Return the fields of a query.

    The last field of a name counts, as it did for old clients. Text that was sent without percent-encoding is read as
    UTF-8. Raises RefusedError when there are too many fields.
    """
    text = query_string.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS))
    except ValueError:
        raise RefusedError(Reason.REQUEST_FORMAT) from None


def parse_object(data: str | bytes) -> dict[str, Any]:
    """Return a JSON object of up to MAX_MESSAGE_VALUES. Raises RefusedError for anything else."""
    if has_too_many_values(_encode(data), MAX_MESSAGE_VALUES):
        raise RefusedError(Reason.REQUEST_FORMAT)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise RefusedError(Reason.REQUEST_FORMAT) from None
    if not isinstance(value, dict):
        raise RefusedError(Reason.REQUEST_FORMAT)
    return value


def _encode(data: str | bytes) -> bytes:
    return data.encode("utf-8", "replace") if isinstance(data, str) else data


def join_surrogates(text: str) -> str:
    """Return `text` with surrogate pairs joined and lone surrogates replaced: JSON can hold them, UTF-8 cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def parse_wait(prefer: str) -> float:
    """Return the seconds of `Prefer: wait=N` (RFC 7240), 0 without it, at most MAX_WAIT."""
    match = _WAIT.search(prefer)
    return min(float(match[1]), MAX_WAIT) if match else 0.0


def preferred_wait(request: Request) -> float:
    """Return the seconds that a client prefers to wait for an account instead of being refused."""
    return parse_wait(", ".join(request.headers.getlist("prefer")))


def idempotency_key(request: Request) -> str | None:
    """Return the request's Idempotency-Key, from the header or else from the query. Raises RefusedError."""
    header = request.headers.get("idempotency-key")
    return header or parse_query(request.scope["query_string"]).get("idempotency_key") or None
