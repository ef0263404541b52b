"""The fields of a message in which chat completions have what the blocks of other APIs contain.

`thinking_blocks` are thoughts with what proves to their server that they are its own, as LiteLLM has them.
`content_parts` are blocks that only a server of the same kind understands.
"""

from typing import Any

from wire.blocks import Block, Piece

_SIGNATURE, _DATA = "signature", "data"


def content_fields(block: Block | Piece, text: str) -> dict[str, Any]:
    """Return the fields beside a block, or a piece of one; `text` is all of the block's so far."""
    extra = block.extra
    if block.kind == "reasoning" and isinstance(extra.get(_DATA), str):
        return _with_thinking(extra, {"type": "redacted_thinking", _DATA: extra[_DATA]})
    if is_signed(block):
        return _with_thinking(extra, {"type": "thinking", "thinking": text, _SIGNATURE: extra[_SIGNATURE]})
    if block.kind == "opaque" and isinstance(extra.get("type"), str):
        return {"content_parts": [extra]}
    return extra


def is_signed(block: Block | Piece) -> bool:
    """Return whether the fields beside a block contain its text, with what proves that it is its server's own."""
    extra = block.extra
    return (
        block.kind == "reasoning" and isinstance(extra.get(_SIGNATURE), str) and not isinstance(extra.get(_DATA), str)
    )


def _with_thinking(extra: dict[str, Any], thinking: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in extra.items() if name not in (_SIGNATURE, _DATA)}
    return {**rest, "thinking_blocks": [thinking]}
