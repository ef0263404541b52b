from typing import Any

import pytest

from emulator.openai import strict_schemas
from emulator.openai.error_response import BadRequestError

CLOSED = {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False}


def test_a_closed_schema_passes() -> None:
    strict_schemas.check({**CLOSED, "$defs": {"b": CLOSED}}, "function 'f'", "x.parameters")


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "object", "properties": {}}, "additionalProperties"),
        ({**CLOSED, "required": []}, "Missing 'a'"),
        ({**CLOSED, "properties": {"a": {"type": "object"}}}, "'properties', 'a'"),
        ({**CLOSED, "$defs": {"b": {"type": "object"}}}, "'$defs', 'b'"),
        ({**CLOSED, "anyOf": [{"type": "object"}]}, "'anyOf', '0'"),
        ({"type": "array", "items": {"type": "object"}}, "'items'"),
    ],
)
def test_what_is_open_is_refused_with_its_place(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRequestError, match=r"Invalid schema for function 'f'") as caught:
        strict_schemas.check(schema, "function 'f'", "x.parameters")
    assert reason in caught.value.response.message
    assert caught.value.response.code == "invalid_function_parameters"
