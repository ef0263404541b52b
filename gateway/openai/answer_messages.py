"""An answer as the messages of a conversation that continues from it. Pure."""

from collections.abc import Iterable, Sequence

from wire.blocks import Block
from wire.prompt import Message, Opaque, Part, Refusal, Text, Thought, ToolCall


def to_messages(blocks: Iterable[Block]) -> tuple[Message, ...]:
    """Return the messages: each has its calls at its end, so that whatever follows a call begins another one.

    An opaque block that is no part of a message, but fields beside it, isn't among them: only a client of the server's
    own dialect can send those back.
    """
    groups: list[list[Block]] = []
    for block in blocks:
        if block.kind == "opaque" and not isinstance(block.extra.get("type"), str):
            continue
        if not groups or (groups[-1][-1].kind == "tool_call" and block.kind != "tool_call"):
            groups.append([])
        groups[-1].append(block)
    return tuple(map(_to_message, groups))


def _to_message(blocks: Sequence[Block]) -> Message:
    calls = [block for block in blocks if block.kind == "tool_call"]
    return Message(
        "assistant",
        tuple(_part(block) for block in blocks if block.kind != "tool_call"),
        calls=tuple(ToolCall(call.id, call.name, call.text, call.custom, call.extra) for call in calls),
    )


def _part(block: Block) -> Part:
    match block.kind:
        case "reasoning":
            return Thought(block.text, block.extra)
        case "refusal":
            return Refusal(block.text, block.extra)
        case "opaque":
            return Opaque(block.extra)
        case _:
            return Text(block.text, block.extra)
