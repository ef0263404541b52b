"""Marks of fields, as the documentation has them."""

from typing import Annotated, Any

import msgspec

from gateway.openai.schema_marks import NULL, STRING, any_of, list_of, only


class Shaped(msgspec.Struct):
    """A shape."""


class Marked(msgspec.Struct):
    """A request."""

    few: Annotated[Any, only(1, False)] = None
    several: Annotated[Any, any_of(STRING, list_of(Shaped, maxItems=3), NULL, description="Either.")] = None


def test_a_mark_is_the_schema_of_its_field() -> None:
    properties = msgspec.json.schema(Marked)["$defs"]["Marked"]["properties"]
    shaped = {"$ref": "#/components/schemas/Shaped"}
    assert properties == {
        "few": {"enum": [1, False, None], "description": "Another value is refused.", "default": None},
        "several": {
            "description": "Either.",
            "anyOf": [STRING, {"type": "array", "items": {"anyOf": [shaped]}, "maxItems": 3}, NULL],
            "default": None,
        },
    }
