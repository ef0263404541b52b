"""Values held against goldens, in which ids, signatures and times are regular expressions."""

import json
import re
from pathlib import Path
from typing import Any


def load(path: Path) -> Any:
    """Return the value of a golden."""
    return json.loads(path.read_text(encoding="utf-8"))


def matching(real: Any, expected: Any) -> Any:
    """Return a real value in which all that matches an expression of the golden is replaced by it."""
    if isinstance(real, dict) and isinstance(expected, dict):
        return {name: matching(value, expected.get(name)) for name, value in real.items()}
    if isinstance(real, list) and isinstance(expected, list) and len(real) == len(expected):
        return [matching(one, other) for one, other in zip(real, expected, strict=True)]
    is_expression = isinstance(expected, str) and expected.startswith("^")
    return expected if is_expression and re.fullmatch(expected, str(real)) else real
