"""JSON Schema: schemas from Structs, and the parts of those that have none."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

Node = dict[str, Any]

_REF = "#/components/schemas/{name}"

STRING: Node = {"type": "string"}
BOOLEAN: Node = {"type": "boolean"}
COUNT: Node = {"type": "integer", "minimum": 0}
# Values in examples.
TOKEN = "0b9f6f5e-3f0c-4b1e-9a55-2f0f5a1d7c11"
ANSWER = "s0-5f1c0c7e2b9d4a6f8e3a1b2c3d4e5f60"


def ref(name: str) -> Node:
    """Return a reference to a named schema."""
    return {"$ref": _REF.format(name=name)}


def reply_schemas(*structs: type[Struct], **named: type[Struct]) -> dict[str, Node]:
    """Return the schemas of replies, and of all that they contain.

    They contain exactly their fields. A field with a default is always sent; only one that may be UNSET may be missing.
    """
    schemas = _struct_schemas(*structs, **named)
    for schema in schemas.values():
        properties = schema.get("properties", {})
        sent = [name for name, value in properties.items() if name in schema["required"] or "default" in value]
        schema |= {"required": sent, "additionalProperties": False}
        for value in properties.values():
            value.pop("default", None)
    return schemas


def request_schemas(*structs: type[Struct], **named: type[Struct]) -> dict[str, Node]:
    """Return the schemas of requests, and of all that they contain. Other fields are ignored."""
    schemas = _struct_schemas(*structs, **named)
    for schema in schemas.values():
        for value in schema["properties"].values():
            if value.get("default", ...) is None:
                del value["default"]
    return schemas


def _struct_schemas(*structs: type[Struct], **named: type[Struct]) -> dict[str, Node]:
    """Return the schemas by name: that of the class, except for those that are `named` otherwise."""
    names = {struct.__name__: name for name, struct in named.items()}
    _, schemas = msgspec.json.schema_components([*structs, *named.values()], ref_template=_REF)
    schemas = {names.get(name, name): _simplify(schema, names) for name, schema in schemas.items()}
    for name, schema in schemas.items():
        schema["title"] = name
    return schemas


def _simplify(node: Any, names: Mapping[str, str]) -> Any:
    """Return a part of a schema with its references renamed, and as short as it can be."""
    match node:
        case {"$ref": str(path), **rest}:
            name = path.rpartition("/")[2]
            return {**ref(names.get(name, name)), **rest}
        case {"enum": [value], **rest}:
            return {"const": value, **rest}
        case {"anyOf": [{"type": kind, **limits}, {"type": "null"}], **rest} if "enum" not in limits:
            return _simplify({"type": [kind, "null"], **limits, **rest}, names)
        case dict():
            return {key: _simplify(value, names) for key, value in node.items()}
        case list():
            return [_simplify(value, names) for value in node]
        case _:
            return node


def object_of(properties: Mapping[str, Node], *, optional: Sequence[str] = (), description: str = "") -> Node:
    """Return the schema of an object with exactly these fields; the `optional` ones may be missing."""
    described = {"description": description} if description else {}
    return described | {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def array_of(items: Node) -> Node:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def described(shape: Node, description: str) -> Node:
    """Return a schema with a description."""
    return {**shape, "description": description}


def enum(*values: object) -> Node:
    """Return the schema of one of several values."""
    return {"enum": list(values)}


def const(value: object) -> Node:
    """Return the schema of one value."""
    return {"const": value}


def named_examples(**examples: Any) -> Node:
    """Return examples by name; `_` in a name is a space."""
    return {name: {"summary": name.replace("_", " "), "value": value} for name, value in examples.items()}
