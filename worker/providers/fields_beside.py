"""The fields that a server sends beside an answer's text, of which each event may have all, some, or others."""

from collections.abc import Mapping
from typing import Any

import msgspec

# Bytes of all of them, as JSON.
MOST_BYTES = 64 * 1024


class FieldsBeside:
    """The fields so far: the last value of each, as far as there is room.

    What is there already isn't measured again: a server may send one small field many times beside a large one.
    """

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        # By name, the bytes that a field takes with its comma; and those of all, with one brace.
        self._sizes: dict[str, int] = {}
        self._size = 1

    def add(self, fields: Mapping[str, Any]) -> None:
        """Add an event's fields; none of them if they don't fit."""
        sizes = {name: len(msgspec.json.encode({name: value})) - 1 for name, value in fields.items()}
        size = self._size + sum(sizes.values()) - sum(self._sizes.get(name, 0) for name in sizes)
        if size > MOST_BYTES:
            return
        self._size = size
        self._sizes.update(sizes)
        self.fields.update(fields)
