"""A cell of a table."""

from typing import Any


def cell(spread: Any) -> str:
    """Return [least, median, most] as text; nothing of what was not measured."""
    if spread is None:
        return ""
    least, middle, most = spread
    return f"{middle:.3g} ({least:.3g}–{most:.3g})" if most > least else f"{middle:.3g}"
