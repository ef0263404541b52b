"""The fields of a request's JSON body, checked. Pure: InvalidRequestError for what can't be served."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.http.fields import join_surrogates
from gateway.openai.errors import InvalidRequestError

Fields = Mapping[str, Any]

_KINDS: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    dict: "an object",
}
# What has no effect, but must be what it is said to be.
WITHOUT_EFFECT: Mapping[str, type] = {
    "temperature": float,
    "top_p": float,
    "frequency_penalty": float,
    "presence_penalty": float,
    "max_tokens": int,
    "max_completion_tokens": int,
    "max_output_tokens": int,
    "seed": int,
    "user": str,
    "metadata": dict,
    "logit_bias": dict,
    "parallel_tool_calls": bool,
}
_LONGEST_ID = 255


def fields(body: bytes) -> Fields:
    """The object in a body."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequestError("The body of your request is not valid JSON.", code="invalid_json") from None
    if not isinstance(found, dict):
        raise InvalidRequestError("The body of your request must be a JSON object.", code="invalid_type")
    for name, kind in WITHOUT_EFFECT.items():
        of_kind(found, name, kind)
    return found


def of_kind(found: Fields, name: str, kind: type) -> Any:
    """A field that is of a kind; None if it is missing or null."""
    value = found.get(name)
    fits = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if value is not None and not fits:
        raise InvalidRequestError(f"'{name}' must be {_KINDS[kind]}.", name, "invalid_type")
    return value


def text(found: Fields, name: str) -> str:
    """A field that is a string; empty if it is missing or null."""
    return join_surrogates(of_kind(found, name, str) or "")


def refuse(found: Fields, name: str, allowed: Sequence[object]) -> None:
    """Refuse a field that is neither missing, null nor one of `allowed`."""
    value = found.get(name)
    if value is not None and not any(value == one and type(value) is type(one) for one in allowed):
        raise InvalidRequestError(f"'{name}' is not supported here.", name, "unsupported_parameter")


def conversation(found: Fields, header: str | None, shortest: int) -> str | None:
    """The conversation's id that the client chose: of the header, the field, or the metadata."""
    field = found.get("conversation")
    named = field.get("id") if isinstance(field, dict) else field
    candidates = {
        "X-Conversation-ID": header,
        "conversation": named if field is None or named is not None else "",
        "metadata.conversation_id": (found.get("metadata") or {}).get("conversation_id"),
    }
    for param, id_ in candidates.items():
        if id_ is not None and not (isinstance(id_, str) and shortest <= len(id_) <= _LONGEST_ID):
            told = f"'{param}' must be a string of {shortest} to {_LONGEST_ID} characters."
            raise InvalidRequestError(told, param, "invalid_value")
    return next((join_surrogates(id_) for id_ in candidates.values() if id_ is not None), None)
