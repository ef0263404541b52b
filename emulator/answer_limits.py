"""An answer's portions as far as the limits of a request let them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emulator.blocks import BlockFragment


@dataclass(frozen=True)
class EarlyEnd:
    """Why an answer ends early. stop: the stop sequence that it met; empty: it had as many tokens as allowed."""

    stop: str = ""


def apply(pieces: Iterable[str], limit: int | None, stops: Sequence[str]) -> tuple[list[str], EarlyEnd | None]:
    """Return the pieces before a stop sequence, no more than so many, and why they end early if they do."""
    text, passed = "", list[str]()
    for piece in pieces:
        if limit is not None and len(passed) >= limit:
            return passed, EarlyEnd()
        if isinstance(piece, BlockFragment) and piece.block.kind != "text":
            passed.append(piece)
            continue
        longer = text + piece
        starts = [(longer.find(stop, max(0, len(text) - len(stop))), stop) for stop in stops]
        found = [(start, stop) for start, stop in starts if start >= 0]
        if found:
            start, stop = min(found, key=lambda place: place[0])
            return _cut([*passed, piece], start), EarlyEnd(stop)
        text = longer
        passed.append(piece)
    return passed, None


def _cut(pieces: list[str], length: int) -> list[str]:
    """Return pieces with no more than so many characters of text in all."""
    cut: list[str] = []
    for piece in pieces:
        if isinstance(piece, BlockFragment) and piece.block.kind != "text":
            cut.append(piece)
        elif length > 0:
            cut.append(piece if len(piece) <= length else piece[:length])
            length -= len(piece)
    return cut
