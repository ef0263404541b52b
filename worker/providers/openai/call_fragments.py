"""Calls of tools as servers send them: in parts of many shapes, each read as one fragment."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# What is part of a fragment in any case; everything else is its extra fields.
_KNOWN = frozenset({"index", "id", "type", "function", "custom", "name", "arguments"})
# Places of calls, from 0, and digits of one: answers have room for fewer calls.
MOST_PLACES = 100_000
_LONGEST_INDEX = 5
_OUTSIDE = re.compile(r'["{}\[\]]')
_INSIDE = re.compile(r'["\\]')


@dataclass(frozen=True)
class CallFragment:
    """A part of a call. `arguments` continue those before; all else may be missing, or be there each time.

    `custom`: it calls a custom tool, whose arguments are any text. `legacy`: it is of the old field `function_call`.
    """

    index: int | None = None
    id: str = ""
    name: str = ""
    arguments: str = ""
    custom: bool = False
    legacy: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


def parse_calls(calls: Any) -> list[CallFragment]:
    """Return the fragments in `tool_calls`; what is none of the kinds that servers send is left out."""
    entries = [calls] if isinstance(calls, dict) else calls
    return [_parse_call(entry) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def parse_legacy_call(call: Any) -> list[CallFragment]:
    """Return the fragment in the old field `function_call`, if it is one."""
    if not isinstance(call, dict) or not call:
        return []
    extra = {name: value for name, value in call.items() if name not in _KNOWN}
    return [
        CallFragment(
            name=_text(call.get("name")), arguments=_arguments(call.get("arguments")), legacy=True, extra=extra
        )
    ]


def _parse_call(entry: Mapping[str, Any]) -> CallFragment:
    custom = isinstance(entry.get("custom"), dict)
    inner = entry["custom"] if custom else entry.get("function")
    if not isinstance(inner, dict):
        inner = entry
    return CallFragment(
        _index(entry.get("index")),
        _text(entry.get("id")),
        _text(inner.get("name")),
        _arguments(inner.get("input" if custom else "arguments")),
        custom,
        extra={name: value for name, value in entry.items() if name not in _KNOWN and value not in (None, [], {})},
    )


def _index(value: Any) -> int | None:
    """Return a call's place; None if it is none, or one that no answer has."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if value.isdecimal() and len(value) <= _LONGEST_INDEX else None
    return int(value) if isinstance(value, int | float) and 0 <= value < MOST_PLACES and value == value // 1 else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _arguments(value: Any) -> str:
    """Return arguments as text: some servers send the object that the text should contain."""
    if isinstance(value, str) or value is None:
        return value or ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class JsonScanner:
    """Reads the text of one JSON object in parts. `is_whole`: it has begun, and nothing in it is open."""

    def __init__(self) -> None:
        self._depth = 0
        self._begun = False
        self._in_string = False
        self._escaped = False

    @property
    def is_whole(self) -> bool:
        """Whether the object has ended."""
        return self._begun and not self._depth and not self._in_string

    def feed(self, text: str) -> None:
        """Read the next part."""
        place = int(self._escaped and bool(text))
        self._escaped = self._escaped and not text
        while (match := (_INSIDE if self._in_string else _OUTSIDE).search(text, place)) is not None:
            place = match.end()
            character = match[0]
            if character == '"':
                self._in_string = not self._in_string
            elif character == "\\":
                self._escaped = place == len(text)
                place += 1
            else:
                self._depth += 1 if character in "{[" else -1
                self._begun = True
