"""What an answer has beside its text, as /answers and bing-chat.v2 show it."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from wire.blocks import Block, Piece
from wire.messages import Usage

ShownKind = Literal["text", "reasoning", "tool_call", "refusal"]
Tokens = Annotated[int, Meta(ge=0)]
IsCustom = Annotated[Literal[True], Meta(description="The arguments are any text instead of JSON.")]


class ShownCall(msgspec.Struct, kw_only=True, gc=False):
    """A call of a tool, for the client to carry out."""

    id: str
    name: str
    arguments: Annotated[str, Meta(description="JSON, unless the tool is `custom`.")]
    custom: IsCustom | UnsetType = UNSET


class UsedTokens(msgspec.Struct, kw_only=True, gc=False):
    """Tokens, as the upstream counted them: `cached` and `cache_written` of the prompt, `reasoning` of the answer."""

    prompt: Tokens
    completion: Tokens
    cached: Tokens
    cache_written: Tokens
    reasoning: Tokens


class ShownPiece(msgspec.Struct, kw_only=True, gc=False):
    """What is new in one block of the answer."""

    block: Annotated[
        int, Meta(ge=0, description="The block's number. A block doesn't grow once a later one has begun.")
    ]
    kind: ShownKind
    text: Annotated[str, Meta(description="More of the text, of the reasoning, or of a call's arguments.")]
    id: Annotated[str, Meta(description="A call's id, in its first piece.")] | UnsetType = UNSET
    name: Annotated[str, Meta(description="The tool's name, in the call's first piece.")] | UnsetType = UNSET
    custom: IsCustom | UnsetType = UNSET


def show_pieces(pieces: Iterable[Piece]) -> Sequence[ShownPiece]:
    """Return pieces as clients get them, without what only a server of the same kind understands."""
    return [
        ShownPiece(
            block=piece.block,
            kind=piece.kind,
            text=piece.text,
            id=piece.id or UNSET,
            name=piece.name or UNSET,
            custom=piece.custom or UNSET,
        )
        for piece in pieces
        if piece.kind != "opaque"
    ]


def joined_text(blocks: Iterable[Block], kind: ShownKind) -> str:
    """Return the text of all blocks of a kind, with an empty line between them."""
    return "\n\n".join(block.text for block in blocks if block.kind == kind)


def called_tools(blocks: Iterable[Block]) -> Sequence[ShownCall]:
    """Return the calls in an answer."""
    return [
        ShownCall(id=block.id, name=block.name, arguments=block.text, custom=block.custom or UNSET)
        for block in blocks
        if block.kind == "tool_call"
    ]


def used_tokens(usage: Usage | None) -> UsedTokens | None:
    """Return the tokens of an answer, None where its upstream doesn't count them."""
    if usage is None:
        return None
    return UsedTokens(
        prompt=usage.prompt,
        completion=usage.completion,
        cached=usage.cached,
        cache_written=usage.cache_written,
        reasoning=usage.reasoning,
    )
