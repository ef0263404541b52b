"""An answer as it grows by its events, in a time that grows with its length alone.

To copy a text for each of the events that add to it takes the square of that: many seconds for a long answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from wire.blocks import Block, Piece, add_piece, fold_all
from wire.messages import Delta, Event, Failed, apply_to_blocks


class AnswerGrowth:
    """The text and the blocks of an answer, as `apply_event` and `apply_to_blocks` make them event by event."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._blocks: list[Block] = []
        # What the last block has more.
        self._more: list[str] = []
        self._extras: list[Mapping[str, Any]] = []

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All that there is so far."""
        self._settle()
        return tuple(self._blocks)

    def add(self, event: Event) -> None:
        """Let it grow by an event. ValueError if that doesn't continue it."""
        match event:
            case Delta(text=text, pieces=pieces):
                self._texts.append(text)
                for piece in pieces or self._plain_pieces(text):
                    self._add_piece(piece)
                return
            case Failed():
                return
        self._texts = [event.text]
        self._settle()
        apply_to_blocks(self._blocks, event)

    def _plain_pieces(self, text: str) -> Sequence[Piece]:
        """Return the piece of a text that came without one."""
        if not text:
            return ()
        count = len(self._blocks)
        return (Piece(count - 1 if count and self._blocks[-1].kind == "text" else count, "text", text),)

    def _add_piece(self, piece: Piece) -> None:
        number = len(self._blocks) - 1
        if number < 0 or piece.block != number or piece.kind != self._blocks[-1].kind:
            self._settle()
            add_piece(self._blocks, piece)
            return
        self._more.append(piece.text)
        if piece.extra:
            self._extras.append(piece.extra)

    def _settle(self) -> None:
        """Let the last block have what it has more."""
        if not (self._more or self._extras):
            return
        last = self._blocks[-1]
        extra = fold_all([last.extra, *self._extras]) if self._extras else last.extra
        self._blocks[-1] = msgspec.structs.replace(last, text="".join([last.text, *self._more]), extra=extra)
        self._more, self._extras = [], []
