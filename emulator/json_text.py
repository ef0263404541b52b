"""JSON as text, in the form in which both APIs send it."""

import json
import re
from typing import Any

Json = dict[str, Any]

HALF_PAIR = re.compile("[\ud800-\udfff]")


def dump(value: object) -> str:
    """Return compact JSON; escapes are used only where half a surrogate pair could not be encoded otherwise."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(value, separators=(",", ":")) if HALF_PAIR.search(text) else text


def load(text: str) -> Json:
    """Return the object in a JSON text."""
    value: Json = json.loads(text)
    return value
