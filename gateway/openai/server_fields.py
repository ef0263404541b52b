"""Fields that a server sent beside those of the API, in a body that has room for more."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")


def add_fields(struct: T, fields: Mapping[str, Any]) -> T:
    """Return what encodes as the struct with more fields; those that it has already stay, but for null."""
    return cast(T, _merge(msgspec.to_builtins(struct), fields)) if fields else struct


def _merge(own: dict[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(own)
    for name, value in fields.items():
        known = own.get(name)
        if known is None:
            merged[name] = value
        elif isinstance(known, dict) and isinstance(value, dict):
            merged[name] = _merge(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            merged[name] = known + value
    return merged
