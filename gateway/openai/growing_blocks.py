"""The blocks of an answer while they grow, in the time of what they get: a copy for each piece takes its square."""

from collections.abc import Iterable

import msgspec

from wire.blocks import Block, BlockKind, Piece
from wire.growing_fields import GrowingFields
from wire.text_parts import TextParts


class GrowingBlocks:
    """The blocks of one answer. What the last one has got since it was read is held beside it."""

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self._blocks = list(blocks)
        self._text: TextParts | None = None
        self._extra: GrowingFields | None = None

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def blocks(self) -> list[Block]:
        """The blocks as they are. To read them costs as much as the last one has, if that has grown."""
        if self._text is not None or self._extra is not None:
            last = self._blocks[-1]
            text = last.text if self._text is None else self._text.text
            extra = last.extra if self._extra is None else self._extra.fields
            self._blocks[-1] = msgspec.structs.replace(last, text=text, extra=extra)
            self._text = self._extra = None
        return self._blocks

    @property
    def last_kind(self) -> BlockKind | None:
        """The kind of the last block."""
        return self._blocks[-1].kind if self._blocks else None

    @property
    def text_place(self) -> int:
        """The number of the block that more text belongs to."""
        return len(self._blocks) - (self.last_kind == "text")

    def is_custom(self, number: int) -> bool:
        """Return whether a block is a call of a custom tool."""
        return self._blocks[number].custom

    def add(self, piece: Piece) -> None:
        """Let a block grow, or begin it. ValueError for a block that has been passed, or of another kind."""
        if piece.block == len(self._blocks):
            begun = Block(piece.kind, piece.text, piece.id, piece.name, piece.custom, piece.extra)
            self.blocks.append(begun)
            return
        if piece.block != len(self._blocks) - 1 or self._blocks[-1].kind != piece.kind:
            raise ValueError(f"a piece of {piece.kind} for block {piece.block} after {len(self._blocks)} blocks")
        if piece.text:
            if self._text is None:
                self._text = TextParts(self._blocks[-1].text)
            self._text.append(piece.text)
        if piece.extra:
            if self._extra is None:
                self._extra = GrowingFields()
                self._extra.add(self._blocks[-1].extra)
            self._extra.add(piece.extra)

    def drop_last(self) -> None:
        """Drop the last block."""
        del self.blocks[-1]
