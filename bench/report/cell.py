"""A cell of a table."""

from typing import Any


def cell(spread: Any) -> str:
    """Return [least, median, most] as text; nothing of what was not measured."""
    if spread is None:
        return ""
    least, middle, most = map(show, spread)
    return f"{middle} ({least}–{most})" if spread[2] > spread[0] else middle


def show(number: float) -> str:
    """Return a number with three digits that count."""
    return f"{number:.3g}" if abs(number) < 999.5 else f"{float(f'{number:.3g}'):,.0f}"
