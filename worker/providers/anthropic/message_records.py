"""What is kept of the calls of an answer: the thoughts before each of them, for clients that drop these."""

from collections.abc import Sequence
from typing import Any

from wire.blocks import Block
from wire.call_memory import CallRecord
from worker.providers.anthropic.own_fields import THINKING_BLOCKS
from worker.providers.call_records import keep_fitting


def make_records(blocks: Sequence[Block], kind: str, model: str, place: str = "") -> dict[str, CallRecord]:
    """Return what came with each call, by the call's key; `place` is the answer's.

    The first call has the thoughts before it with its message, each other one those since the call before.
    """
    thoughts: list[dict[str, Any]] = []
    records: list[tuple[Block, CallRecord]] = []
    for block in blocks:
        if block.kind == "reasoning" and (thought := thinking_block(block)) is not None:
            thoughts.append(thought)
        elif block.kind == "tool_call":
            given: dict[str, Any] = {THINKING_BLOCKS: thoughts} if thoughts else {}
            of_call = block.extra if not records else {**block.extra, **given}
            records.append((block, CallRecord(kind, model, of_call, given if not records else {})))
            thoughts = []
    return keep_fitting(records, place)


def thinking_block(block: Block) -> dict[str, Any] | None:
    """Return a thought as its server sent it; None for one without what proves that it did."""
    if data := block.extra.get("data"):
        return {"type": "redacted_thinking", "data": data}
    signature = block.extra.get("signature")
    return {"type": "thinking", "thinking": block.text, "signature": signature} if signature else None
