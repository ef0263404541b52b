"""How many values a JSON text holds: each takes far more memory and time than the few bytes that it was sent in."""

import re

from wire.threads import LARGE

# Of 8 MiB that are nothing but values, parsing would hold up everybody for a second: Python can't do it in parts.
MAX_VALUES = 250_000
# It never goes back, and a string without an end matches too: a search from each quote in it would take hours.
_STRING_OR_VALUE = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[,\[{]', re.DOTALL)


def has_too_many_values(text: bytes) -> bool:
    """Return whether a JSON text holds more than MAX_VALUES. A small one never does."""
    if len(text) <= LARGE or sum(map(text.count, (b",", b"[", b"{"))) < MAX_VALUES:
        return False
    values = 1
    for match in _STRING_OR_VALUE.finditer(text):
        values += match[0][:1] != b'"'
        if values > MAX_VALUES:
            return True
    return False
