"""Checks of the fields of a request's JSON body. Pure: InvalidRequestError for a request that can't be served."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.http.fields import join_surrogates
from gateway.http.json_values import MAX_VALUES, has_too_many_values
from gateway.openai.errors import InvalidRequestError
from gateway.openai.request_fields import MAX_CONVERSATION_ID, option_types

Fields = Mapping[str, Any]

_KINDS: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "a whole number",
    float: "a number",
    dict: "an object",
}
# The fields whose types are checked in every request, most of them without effect.
WITHOUT_EFFECT: Mapping[str, type] = option_types()


def parse_fields(body: bytes) -> Fields:
    """Return the fields of a body."""
    if has_too_many_values(body):
        raise InvalidRequestError(
            f"The body of your request has more than {MAX_VALUES} values.", code="request_too_large"
        )
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequestError("The body of your request is not valid JSON.", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise InvalidRequestError("The body of your request must be a JSON object.", code="invalid_type")
    for name, kind in WITHOUT_EFFECT.items():
        read_field(fields, name, kind)
    return fields


def read_field(fields: Fields, name: str, kind: type) -> Any:
    """Return a field after a check of its type; None if it is missing or null."""
    value = fields.get(name)
    fits = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if value is not None and not fits:
        raise InvalidRequestError(f"'{name}' must be {_KINDS[kind]}.", name, "invalid_type")
    return value


def read_text(fields: Fields, name: str) -> str:
    """Return a field that is a string; empty if it is missing or null."""
    return join_surrogates(read_field(fields, name, str) or "")


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
