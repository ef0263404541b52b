"""An answer as the messages of a conversation that continues from it."""

from gateway.openai.answer_messages import to_messages
from wire.blocks import Block
from wire.prompt import Message, Opaque, Refusal, Text, Thought, ToolCall


def test_whatever_follows_a_call_begins_another_message() -> None:
    blocks = [
        Block("reasoning", "hm", extra={"signature": "s"}),
        Block("text", "one"),
        Block("tool_call", "{}", "c1", "add", extra={"x": 1}),
        Block("tool_call", "ls", "c2", "run", custom=True),
        Block("refusal", "no"),
    ]
    calls = (ToolCall("c1", "add", "{}", extra={"x": 1}), ToolCall("c2", "run", "ls", custom=True))
    assert to_messages(blocks) == (
        Message("assistant", (Thought("hm", {"signature": "s"}), Text("one")), calls=calls),
        Message("assistant", (Refusal("no"),)),
    )
    assert to_messages([]) == ()


def test_fields_beside_an_answer_are_no_part_of_it() -> None:
    part = {"type": "server_tool_use", "id": "s"}
    assert to_messages([Block("opaque", extra={"reasoning_details": []}), Block("opaque", extra=part)]) == (
        Message("assistant", (Opaque(part),)),
    )
