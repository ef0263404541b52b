"""How many values a JSON text holds: each takes far more memory and time than the few bytes that it was sent in."""

import re
from collections import Counter

from wire.threads import LARGE

# Of 8 MiB that are nothing but values, parsing would hold up everybody for a second: Python can't do it in parts.
MAX_VALUES = 250_000
# Of a message with a question and a few fields beside it, which is parsed in the event loop.
MAX_MESSAGE_VALUES = 10_000
# Of a JSON text inside a string: so many values, and one more for so many bytes.
_FEW, _BYTES_OF_A_VALUE = 16, 8
# Bytes that Python takes for an object or a list, and for a value in one: those of most are fewer.
_CONTAINER_BYTES, _ITEM_BYTES = 150, 60
# What characters that take four bytes of memory each, or two, begin with in UTF-8, and what continues any of them.
_ASTRAL, _WIDE, _INNER = re.compile(rb"[\xf0-\xf4]"), re.compile(rb"[\xc4-\xef]"), bytes(range(0x80, 0xC0))
_QUOTE = ord('"')
# It never goes back, and a string without an end matches too: a search from each quote in it would take hours.
_STRING_OR_VALUE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[,\[{]', re.DOTALL)


def has_too_many_values(text: bytes, most: int = MAX_VALUES) -> bool:
    """Return whether a JSON text holds more than `most` values. A small one never does."""
    return len(text) > LARGE and _has_more_values(text, most)


def is_dense(text: bytes) -> bool:
    """Return whether a JSON text inside a string of another has more values than one that says anything.

    The other's values are counted without these, and many short ones would have far more together.
    """
    return _has_more_values(text, _FEW + len(text) // _BYTES_OF_A_VALUE)


def unpacked_bytes(text: bytes) -> int:
    """Return about how many bytes of memory a JSON text takes once it is parsed, or its length where that is more.

    A string takes up to four bytes for each of its characters, however few of them need these.
    In a small text, what is inside its strings counts as if it were values too.
    """
    containers, items = text.count(b"[") + text.count(b"{"), text.count(b",")
    if len(text) > LARGE and _memory(containers, items) > len(text):
        found = Counter(match[0][:1] for match in _STRING_OR_VALUE.finditer(text))
        containers, items = found[b"["] + found[b"{"], found[b","]
    return max(len(text) + _widening(text), _memory(containers, items))


def _widening(text: bytes) -> int:
    """Return how many bytes more the strings in a text take than they have in it."""
    if text.isascii() or not (_ASTRAL.search(text) or _WIDE.search(text)):
        return 0
    strings = (match[0] for match in _STRING_OR_VALUE.finditer(text) if match[0][0] == _QUOTE)
    return sum(
        max(0, _width(one) * len(one.translate(None, _INNER)) - len(one)) for one in strings if not one.isascii()
    )


def _width(string: bytes) -> int:
    """Return the bytes that Python takes for each character of a string in UTF-8: as many as for the widest."""
    return 4 if _ASTRAL.search(string) else 2 if _WIDE.search(string) else 1


def _memory(containers: int, items: int) -> int:
    return _CONTAINER_BYTES * containers + _ITEM_BYTES * items


def count_values(text: bytes, most: int) -> int:
    """Return how many values a JSON text of any size holds; it is read as far as it has `most` of them and one."""
    values = 1
    for found, match in enumerate(_STRING_OR_VALUE.finditer(text)):
        values += match[0][:1] != b'"'
        # Each value has a string or two at most; of strings without anything between them there is no end.
        if values > most or found > 3 * most:
            return most + 1
    return values


def _has_more_values(text: bytes, most: int) -> bool:
    return sum(map(text.count, (b",", b"[", b"{"))) >= most and count_values(text, most) > most
