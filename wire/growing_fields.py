"""Fields that a stream sends in parts, as they grow: in the time of what they get, and not of what they have."""

from collections.abc import Mapping
from typing import Any

from wire.text_parts import TextParts


class _Items(list[Any]):
    """A list of our own, which may grow: one that was given stays as it is."""


class GrowingFields:
    """Fields by their names: strings join, lists extend, objects merge, all else is replaced. `fields` are all."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    @property
    def fields(self) -> dict[str, Any]:
        """The fields so far."""
        return {name: _value(grown) for name, grown in self._values.items()}

    def add(self, new: Mapping[str, Any]) -> None:
        """Add fields."""
        values = self._values
        for name, value in new.items():
            values[name] = _grow(values[name], value) if name in values else value


def _grow(before: Any, value: Any) -> Any:
    """Return what is there of a field, with more of it. What was given is not changed."""
    match value:
        case str() if isinstance(before, str | TextParts):
            text = TextParts(before) if isinstance(before, str) else before
            text.append(value)
            return text
        case list() if isinstance(before, list):
            items = before if isinstance(before, _Items) else _Items(before)
            items += value
            return items
        case dict() if isinstance(before, dict | GrowingFields):
            fields = GrowingFields() if isinstance(before, dict) else before
            if isinstance(before, dict):
                fields.add(before)
            fields.add(value)
            return fields
    return value


def _value(grown: Any) -> Any:
    match grown:
        case TextParts():
            return grown.text
        case _Items():
            return list(grown)
        case GrowingFields():
            return grown.fields
    return grown
