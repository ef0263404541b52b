"""The blocks of an answer, in order, and the pieces by which they grow.

Blocks are numbered from 0. A block never grows once a later one has begun, so an answer is a sequence of whole blocks,
whatever protocol it is rendered for. An event that brings only text has no pieces: its text continues the last block,
if that is text, and else begins a new one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from wire.growing_fields import GrowingFields

# `opaque` contains nothing but `extra`: what only a server of the same kind understands.
BlockKind = Literal["text", "reasoning", "tool_call", "refusal", "opaque"]


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of an answer. `text` is a text, reasoning, a refusal, or the arguments of a tool call.

    `id`, `name` and `custom` are a tool call's; `custom`: its arguments are any text instead of JSON. `extra` are the
    fields that the server sent with it beyond those, by their names.
    """

    kind: BlockKind
    text: str = ""
    id: str = ""
    name: str = ""
    custom: bool = False
    extra: dict[str, Any] = {}


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an event adds to the block of that number; the fields are as in Block.

    A tool call's `id`, `name` and `custom` come with its first piece, and only there.
    """

    block: int
    kind: BlockKind
    text: str = ""
    id: str = ""
    name: str = ""
    custom: bool = False
    extra: dict[str, Any] = {}


_Grown = TypeVar("_Grown", Block, Piece)


def add_piece(blocks: list[Block], piece: Piece) -> None:
    """Let a block grow, or begin it. ValueError for a block that has been passed, or of another kind."""
    if piece.block == len(blocks):
        blocks.append(Block(piece.kind, piece.text, piece.id, piece.name, piece.custom, piece.extra))
        return
    if piece.block != len(blocks) - 1 or blocks[-1].kind != piece.kind:
        raise ValueError(f"a piece of {piece.kind} for block {piece.block} after {len(blocks)} blocks")
    blocks[-1] = extend(blocks[-1], piece)


def extend(grown: _Grown, piece: Piece) -> _Grown:
    """Return a block, or a piece of it, with what another piece adds."""
    extra = fold(grown.extra, piece.extra) if piece.extra else grown.extra
    return msgspec.structs.replace(grown, text=grown.text + piece.text, extra=extra)


def join_pieces(pieces: Sequence[Piece]) -> Piece:
    """Return the pieces of one block as one, as `extend` does for two, in the time of their size."""
    if len(pieces) == 1:
        return pieces[0]
    extra = fold_all(piece.extra for piece in pieces if piece.extra)
    return msgspec.structs.replace(pieces[0], text="".join([piece.text for piece in pieces]), extra=extra)


def add_text(blocks: list[Block], text: str) -> None:
    """Add text that has no piece of its own."""
    number = len(blocks) - 1 if blocks and blocks[-1].kind == "text" else len(blocks)
    add_piece(blocks, Piece(number, "text", text))


def join_text(blocks: Iterable[Block | Piece]) -> str:
    """Return all of the text, without reasoning, refusals and calls."""
    return "".join(block.text for block in blocks if block.kind == "text")


def is_text(blocks: Sequence[Block]) -> bool:
    """Return whether a text says all of the blocks: there is nothing but one plain text."""
    return not blocks or (len(blocks) == 1 and blocks[0].kind == "text" and not blocks[0].extra)


def fold(before: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields that a stream sent in parts: strings join, lists extend, objects merge, all else is replaced."""
    return fold_all((before, new))


def fold_all(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of many parts, in the time of their size: `fold` for one after the other takes its square."""
    grown = GrowingFields()
    for part in parts:
        grown.add(part)
    return grown.fields
