"""Plots as plain SVG: rows of bars, readable on light and on dark pages."""

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH = 760
_LABELS = 190
_BARS = 480
_ROW = 26
_BAR = 16
_TOP = 64
_COLOURS = ("#2f6fde", "#e08a1e", "#3f9f5f", "#a05ec8", "#888888")
_STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: 600 }
.axis { stroke: #8b949e }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
</style>"""

Row = tuple[str, Mapping[str, float]]


def bars(title: str, rows: Sequence[Row]) -> str:
    """Return the picture: a bar for each label, made of its parts, with their sum at its end."""
    parts = list(dict.fromkeys(part for _, values in rows for part in values))
    colours = {part: _COLOURS[number % len(_COLOURS)] for number, part in enumerate(parts)}
    most = max((sum(values.values()) for _, values in rows), default=0.0) or 1.0
    height = _TOP + _ROW * len(rows) + 12
    drawn = [_row(row, _TOP + _ROW * number, most, colours) for number, row in enumerate(rows)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
            f'height="{height}" role="img" aria-label="{escape(title)}">',
            _STYLE,
            f'<text class="title" x="8" y="20">{escape(title)}</text>',
            *(_legend(part, 8 + 110 * number, colours[part]) for number, part in enumerate(parts)),
            *drawn,
            f'<line class="axis" x1="{_LABELS}" x2="{_LABELS}" y1="{_TOP - 6}" y2="{height - 8}"/>',
            "</svg>\n",
        ]
    )


def _legend(part: str, x: float, colour: str) -> str:
    return (
        f'<rect x="{x}" y="34" width="12" height="12" fill="{colour}"/><text x="{x + 18}" y="44">{escape(part)}</text>'
    )


def _row(row: Row, y: float, most: float, colours: Mapping[str, str]) -> str:
    label, values = row
    x, drawn = float(_LABELS), [f'<text x="{_LABELS - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>']
    for part, value in values.items():
        width = max(0.0, value) / most * _BARS
        drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colours[part]}"/>')
        x += width
    drawn.append(f'<text x="{x + 6:.1f}" y="{y + 13}">{sum(values.values()):,.3g}</text>')
    return "".join(drawn)
