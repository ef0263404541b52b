"""Halves of surrogate pairs, which JSON can contain and UTF-8 can't."""

import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
_HIGH_SURROGATES = ("\ud800", "\udbff")
# How deep a value may be nested.
_DEEPEST = 64


def join_surrogates(text: str) -> str:
    """Join the halves of surrogate pairs, and drop single halves, which can't be encoded."""
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def ends_in_half(text: str) -> bool:
    """Return whether a text ends with the first half of a pair, whose second one may follow."""
    return _HIGH_SURROGATES[0] <= text[-1:] <= _HIGH_SURROGATES[1]


def clean_json(value: Any, depth: int = _DEEPEST) -> Any:
    """Return a value of JSON with all texts in it joined, and as null what can't be encoded or is nested too deep."""
    match value:
        case str():
            return join_surrogates(value)
        case list() if depth:
            return [clean_json(item, depth - 1) for item in value]
        case dict() if depth:
            return {join_surrogates(name): clean_json(item, depth - 1) for name, item in value.items()}
        case list() | dict():
            return None
        case int() if not -(2**63) <= value < 2**64:
            return None
    return value
