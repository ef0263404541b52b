"""Readers of the fields of JSON objects. Pure: InvalidRequestError for a field of the wrong kind, with its name."""

from collections.abc import Collection, Mapping
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
    list: "a list",
}
# How deep objects and lists that are passed on as they are may be nested.
MAX_DEPTH = 100


def read_field(fields: Fields, name: str, kind: type, parent: str = "") -> Any:
    """Return a field, of the object `parent`, after a check of its type; None if it is missing or null."""
    value = fields.get(name)
    fits = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if value is not None and not fits:
        param = f"{parent}.{name}" if parent else name
        raise InvalidRequestError(f"'{param}' must be {_KINDS[kind]}.", param, "invalid_type")
    return value


def read_text(fields: Fields, name: str) -> str:
    """Return a field that is a string; empty if it is missing or null."""
    return join_surrogates(read_field(fields, name, str) or "")


def read_object(value: object, param: str) -> Fields:
    """Return a value that must be an object."""
    if not isinstance(value, dict):
        raise InvalidRequestError(f"'{param}' must be an object.", param, "invalid_type")
    return value


def read_string(fields: Fields, name: str, parent: str) -> str:
    """Return a field that must be a string."""
    text = fields.get(name)
    if not isinstance(text, str):
        raise InvalidRequestError(f"'{parent}.{name}' must be a string.", f"{parent}.{name}", "invalid_type")
    return text


def read_filled(fields: Fields, name: str, parent: str) -> str:
    """Return a field that must be a string which isn't empty."""
    text, param = read_string(fields, name, parent), f"{parent}.{name}"
    if not text:
        raise InvalidRequestError(f"'{param}' must not be empty.", param, "invalid_value")
    return text


def rest_of(fields: Fields, known: Collection[str], param: str = "") -> dict[str, Any]:
    """Return the fields of the object `param` that are unknown here, but for null."""
    rest = {name: value for name, value in fields.items() if name not in known and value is not None}
    for name, value in rest.items():
        check_depth(value, f"{param}.{name}" if param else name)
    return rest


def check_depth(value: object, param: str) -> None:
    """Raise InvalidRequestError for what is nested too deeply to be passed on."""
    level = [value]
    for _ in range(MAX_DEPTH):
        nested = [item for item in level if isinstance(item, dict | list)]
        if not nested:
            return
        level = [part for item in nested for part in (item.values() if isinstance(item, dict) else item)]
    raise InvalidRequestError(f"'{param}' is nested too deeply.", param, "invalid_value")
