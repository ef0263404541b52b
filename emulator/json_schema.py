"""A value that fits a JSON Schema, the same for the same schema."""

import re
from collections.abc import Mapping
from typing import Any

from emulator.json_text import Json

MAX_DEPTH = 8  # deeper, what may be null or left out is
FORMATS = {
    "date-time": "2026-01-02T03:04:05Z",
    "date": "2026-01-02",
    "time": "03:04:05Z",
    "duration": "PT1H",
    "email": "somebody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "12345678-1234-4234-8234-123456789012",
}
# What a pattern is tried with.
CANDIDATES = (
    "a",
    "A",
    "abc",
    "ABC",
    "a1",
    "A1",
    "a-b",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "1.5",
    "+15551234",
    "#ffffff",
)


def example(schema: Any, name: str = "value") -> Any:
    """Return a value that fits. name: of the property, for texts."""
    root = schema if isinstance(schema, dict) else {}
    return _Example(root).build(schema, name, 0)


class _Example:
    """One schema with its definitions."""

    def __init__(self, root: Json) -> None:
        self._root = root

    def build(self, schema: Any, name: str, depth: int) -> Any:
        """Return a value for a schema inside the root."""
        if not isinstance(schema, dict):
            return f"some {name}"
        schema = self._resolve(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        for word in ("anyOf", "oneOf"):
            if schema.get(word):
                rest = {key: value for key, value in schema.items() if key != word}
                return self.build(_merge(rest, self._choose(schema[word], depth)), name, depth)
        if "default" in schema and schema["default"] is not None:
            return schema["default"]
        return self._of_type(schema, name, depth)

    def _of_type(self, schema: Json, name: str, depth: int) -> Any:
        kinds = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else "string")
        if isinstance(kinds, list):
            kinds = "null" if depth > MAX_DEPTH and "null" in kinds else next((k for k in kinds if k != "null"), "null")
        match kinds:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer" | "number":
                return number(schema, whole=kinds == "integer")
            case "boolean":
                return True
            case "null":
                return None
        return string(schema, name)

    def _object(self, schema: Json, depth: int) -> Json:
        properties: Json = schema.get("properties") or {}
        required = schema.get("required")
        names = list(required if required is not None else properties if depth <= MAX_DEPTH else ())
        built = {name: self.build(properties.get(name, {}), name, depth + 1) for name in names}
        missing = schema.get("minProperties", 0) - len(built)
        values = schema.get("additionalProperties")
        for number_ in range(missing):
            built[f"key{number_ + 1}"] = self.build(values if isinstance(values, dict) else {}, "value", depth + 1)
        return built

    def _array(self, schema: Json, name: str, depth: int) -> list[Any]:
        first = schema.get("prefixItems") or []
        built = [self.build(item, name, depth + 1) for item in first]
        least = schema.get("minItems", 0)
        count = max(least, 1 if depth <= MAX_DEPTH and "prefixItems" not in schema else 0)
        count = min(count, schema.get("maxItems", count))
        items = schema.get("items", {})
        for place in range(len(built), count):
            value = self.build(items, name, depth + 1)
            if place and schema.get("uniqueItems"):
                value = _another(value, place, self._resolve(items) if isinstance(items, dict) else {})
            built.append(value)
        return built

    def _resolve(self, schema: Json) -> Json:
        for _ in range(20):
            if "$ref" in schema:
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = _merge(rest, self._find(schema["$ref"]))
            elif schema.get("allOf"):
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    rest = _merge(rest, self._resolve(part) if isinstance(part, dict) else {})
                schema = rest
            else:
                break
        return schema

    def _find(self, reference: str) -> Json:
        found: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if key and isinstance(found, Mapping):
                found = found.get(key, {})
        return found if isinstance(found, dict) else {}

    def _choose(self, choices: list[Any], depth: int) -> Json:
        schemas = [self._resolve(choice) for choice in choices if isinstance(choice, dict)]
        is_null = [choice.get("type") == "null" for choice in schemas]
        wanted = depth > MAX_DEPTH
        return next((one for one, null in zip(schemas, is_null, strict=True) if null == wanted), (schemas or [{}])[0])


def string(schema: Json, name: str) -> str:
    """Return a string of the format, the pattern and the length that a schema names."""
    text = FORMATS.get(schema.get("format", ""), f"some {name.replace('_', ' ')}")
    if "pattern" in schema:
        matching = (one for one in (text, name, *CANDIDATES) if re.search(schema["pattern"], one))
        return next(matching, text)
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]


def number(schema: Json, whole: bool) -> int | float:
    """Return a number between the bounds that a schema names."""
    step = schema.get("multipleOf", 1 if whole else 0.5)
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = least if least is not None else most if most is not None else step
    if value == schema.get("exclusiveMinimum"):
        value += step
    elif least is None and value == schema.get("exclusiveMaximum"):
        value -= step
    rounded = -(-value // step) * step if "multipleOf" in schema or whole else value
    return int(rounded) if whole else rounded


def _merge(one: Json, other: Json) -> Json:
    merged = one | other
    if "properties" in one and "properties" in other:
        merged["properties"] = one["properties"] | other["properties"]
    if "required" in one and "required" in other:
        merged["required"] = list(dict.fromkeys([*one["required"], *other["required"]]))
    return merged


def _another(value: Any, place: int, schema: Json) -> Any:
    if "enum" in schema:
        return schema["enum"][place % len(schema["enum"])]
    if isinstance(value, str):
        return f"{value} {place + 1}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value + place
    return value
