"""Checks of a request's JSON body as a whole. Pure: InvalidRequestError for a request that can't be served."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.http.fields import join_surrogates
from gateway.openai.errors import InvalidRequestError
from gateway.openai.json_fields import Fields, read_field
from gateway.openai.request_fields import MAX_CONVERSATION_ID, option_types
from wire.json_values import MAX_VALUES, has_too_many_values

# Half a surrogate pair, escaped or as bytes of UTF-8. A body in UTF-16 or UTF-32 has zeros.
_HALVES = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
# What numbers have that are too large, and also other text.
_LARGE_EXPONENT = re.compile(rb"[eE]\+?\d{3}")
# The fields whose types are checked in every request, most of them without effect.
WITHOUT_EFFECT: Mapping[str, type] = option_types()


def parse_fields(body: bytes) -> Fields:
    """Return the fields of a body."""
    if has_too_many_values(body):
        raise InvalidRequestError(
            f"The body of your request has more than {MAX_VALUES} values.", code="request_too_large"
        )
    try:
        read_float = _read_finite if _LARGE_EXPONENT.search(body) else None
        fields = json.loads(body, parse_float=read_float, parse_constant=_refuse_constant)
        if _HALVES.search(body) or b"\0" in body[:4]:
            fields = join_all(fields)
    except (ValueError, RecursionError):
        raise InvalidRequestError("The body of your request is not valid JSON.", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise InvalidRequestError("The body of your request must be a JSON object.", code="invalid_type")
    for name, kind in WITHOUT_EFFECT.items():
        read_field(fields, name, kind)
    return fields


def _read_finite(digits: str) -> float:
    """Return a number. ValueError for one that is too large to be one here, which would become infinite."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity: JSON doesn't have them, and a server would get null in their place."""
    raise ValueError(name)


def join_all(value: Any) -> Any:
    """Return JSON with no half of a surrogate pair in it: UTF-8 can't hold one."""
    match value:
        case str():
            return join_surrogates(value)
        case list():
            return [join_all(item) for item in value]
        case dict():
            return {join_surrogates(name): join_all(item) for name, item in value.items()}
    return value


def reject_unsupported(fields: Fields, name: str, allowed: Sequence[object]) -> None:
    """Raise InvalidRequestError for a field that is neither missing, null nor one of `allowed`."""
    value = fields.get(name)
    if value is not None and not any(
        value == allowed_value and type(value) is type(allowed_value) for allowed_value in allowed
    ):
        raise InvalidRequestError(f"'{name}' is not supported here.", name, "unsupported_parameter")


def read_conversation_id(fields: Fields, header: str | None, min_length: int) -> str | None:
    """Return the conversation's id that the client chose, from the header, the field or the metadata."""
    field = fields.get("conversation")
    named = field.get("id") if isinstance(field, dict) else field
    candidates = {
        "X-Conversation-ID": header,
        "conversation": named if field is None or named is not None else "",
        "metadata.conversation_id": (fields.get("metadata") or {}).get("conversation_id"),
    }
    for param, id_ in candidates.items():
        if id_ is not None and not (isinstance(id_, str) and min_length <= len(id_) <= MAX_CONVERSATION_ID):
            message = f"'{param}' must be a string of {min_length} to {MAX_CONVERSATION_ID} characters."
            raise InvalidRequestError(message, param, "invalid_value")
    return next((join_surrogates(id_) for id_ in candidates.values() if id_ is not None), None)
