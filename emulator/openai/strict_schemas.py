"""What a schema has to be for `strict: true`."""

from typing import Any

from emulator.json_text import Json
from emulator.openai.error_response import BadRequestError, ErrorResponse

INSIDE = ("properties", "$defs", "definitions")
LISTS = ("anyOf", "allOf")


def check(schema: Json, owner: str, param: str) -> None:
    """Raise BadRequestError unless each object in a schema closes its properties and requires all of them."""
    _check(schema, owner, param, ())


def _check(schema: Any, owner: str, param: str, path: tuple[str, ...]) -> None:
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            reason = "'additionalProperties' is required to be supplied and to be false"
            raise BadRequestError(_error(owner, param, path, reason))
        missing = sorted(set(schema.get("properties") or {}) - set(schema.get("required") or ()))
        if missing:
            reason = f"'required' has to be an array with every key in properties. Missing '{missing[0]}'"
            raise BadRequestError(_error(owner, param, path, reason))
    for word in INSIDE:
        for name, inner in (schema.get(word) or {}).items():
            _check(inner, owner, param, (*path, word, name))
    for word in LISTS:
        for number, inner in enumerate(schema.get(word) or ()):
            _check(inner, owner, param, (*path, word, str(number)))
    _check(schema.get("items"), owner, param, (*path, "items"))


def _error(owner: str, param: str, path: tuple[str, ...], reason: str) -> ErrorResponse:
    message = f"Invalid schema for {owner}: In context={path}, {reason}."
    code = "invalid_function_parameters" if param.endswith("parameters") else None
    return ErrorResponse(400, message, code=code, param=param)
