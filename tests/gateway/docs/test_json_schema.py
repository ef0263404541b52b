"""Schemas from Structs."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.docs.json_schema import reply_schemas, request_schemas


class Leaf(msgspec.Struct):
    """A leaf."""

    size: Annotated[int, Meta(ge=0, description="In mm.")] = 0


class Branch(msgspec.Struct, kw_only=True):
    """A branch."""

    kind: Literal["oak"] = "oak"
    leaf: Leaf | None = None
    name: str | UnsetType = UNSET
    age: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="In years.")] = None


LEAF = {"description": "A leaf.", "type": "object"}
SIZE = {"description": "In mm.", "type": "integer", "minimum": 0}
BRANCH = {"description": "A branch.", "type": "object"}
AGE = {"description": "In years.", "type": ["integer", "null"], "minimum": 1}
KIND: dict[str, Any] = {"const": "oak"}


def leaf(name: str) -> dict[str, Any]:
    """Return the schema of a leaf that may be null."""
    return {"anyOf": [{"$ref": f"#/components/schemas/{name}"}, {"type": "null"}]}


def test_a_reply_has_exactly_its_fields_and_lacks_only_what_is_unset() -> None:
    assert reply_schemas(Branch) == {
        "Leaf": LEAF
        | {"title": "Leaf", "properties": {"size": SIZE}, "required": ["size"], "additionalProperties": False},
        "Branch": BRANCH
        | {
            "title": "Branch",
            "properties": {"kind": KIND, "leaf": leaf("Leaf"), "name": {"type": "string"}, "age": AGE},
            "required": ["kind", "leaf", "age"],
            "additionalProperties": False,
        },
    }


def test_a_body_may_lack_what_has_a_default_and_null_is_not_named_as_one() -> None:
    assert request_schemas(Branch) == {
        "Leaf": LEAF | {"title": "Leaf", "properties": {"size": SIZE | {"default": 0}}, "required": []},
        "Branch": BRANCH
        | {
            "title": "Branch",
            "properties": {
                "kind": KIND | {"default": "oak"},
                "leaf": leaf("Leaf"),
                "name": {"type": "string"},
                "age": AGE,
            },
            "required": [],
        },
    }


def test_a_schema_has_another_name_than_its_class_where_it_is_given_one() -> None:
    schemas = reply_schemas(Branch, Blade=Leaf)
    assert set(schemas) == {"Branch", "Blade"}
    assert schemas["Blade"]["title"] == "Blade"
    assert schemas["Branch"]["properties"]["leaf"] == leaf("Blade")
