"""Marks for the documentation of fields, where their types can't say it."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Meta

Shape = type[msgspec.Struct] | Mapping[str, Any]

NULL: Shape = {"type": "null"}
STRING: Shape = {"type": "string"}


def only(*values: object) -> Meta:
    """Return the mark of a field that is refused unless it is missing, null or one of `values`."""
    # As JSON: typing takes types for the same whose marks are equal, as 0 and False are.
    return Meta(
        description="Another value is refused.",
        extra_json_schema={"enum": [*values, None]},
        extra={"only": json.dumps(values)},
    )


def any_of(*shapes: Shape, description: str = "") -> Meta:
    """Return the mark of a field that has one of several shapes, of which msgspec makes no union."""
    return Meta(description=description or None, extra_json_schema={"anyOf": [_reference(shape) for shape in shapes]})


def list_of(*shapes: Shape, **limits: int) -> Shape:
    """Return the schema of a list of such, for `any_of`."""
    return {"type": "array", "items": {"anyOf": [_reference(shape) for shape in shapes]}, **limits}


def _reference(shape: Shape) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{shape.__name__}"} if isinstance(shape, type) else dict(shape)
