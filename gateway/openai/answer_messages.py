"""An answer as the messages of a conversation that continues from it. Pure."""

from collections.abc import Iterable

import msgspec

from wire.blocks import Block
from wire.prompt import Message, Opaque, Part, Refusal, Text, Thought, ToolCall


def to_messages(blocks: Iterable[Block]) -> tuple[Message, ...]:
    """Return the messages: each has its calls at its end, so that whatever follows a call begins another one.

    An opaque block that is no part of a message, but fields beside it, isn't among them: only a client of the server's
    own dialect can send those back.
    """
    messages: list[Message] = []
    for block in blocks:
        if block.kind == "opaque" and not isinstance(block.extra.get("type"), str):
            continue
        if not messages or (messages[-1].calls and block.kind != "tool_call"):
            messages.append(Message("assistant"))
        messages[-1] = _add(messages[-1], block)
    return tuple(messages)


def _add(message: Message, block: Block) -> Message:
    if block.kind == "tool_call":
        call = ToolCall(block.id, block.name, block.text, block.custom, block.extra)
        return msgspec.structs.replace(message, calls=(*message.calls, call))
    return msgspec.structs.replace(message, parts=(*message.parts, _part(block)))


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
