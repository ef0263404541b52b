"""An answer's blocks as messages, which have the same order."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.openai.answer_messages import to_messages
from wire.blocks import Block
from wire.prompt import Message, Opaque, Refusal, Text, Thought, ToolCall

BLOCKS = [
    Block("reasoning", "hm", extra={"signature": "s"}),
    Block("text", "I look."),
    Block("tool_call", '{"a":1}', id="c1", name="f", extra={"x": 1}),
    Block("tool_call", "free", id="c2", name="g", custom=True),
    Block("reasoning", "so"),
    Block("refusal", "no"),
    Block("opaque", extra={"type": "x"}),
    Block("tool_call", "{}", id="c3", name="f"),
]


def test_each_message_has_its_calls_at_its_end() -> None:
    assert to_messages(BLOCKS) == (
        Message(
            "assistant",
            (Thought("hm", {"signature": "s"}), Text("I look.")),
            calls=(ToolCall("c1", "f", '{"a":1}', extra={"x": 1}), ToolCall("c2", "g", "free", custom=True)),
        ),
        Message(
            "assistant",
            (Thought("so"), Refusal("no"), Opaque({"type": "x"})),
            calls=(ToolCall("c3", "f", "{}"),),
        ),
    )
    assert to_messages([]) == ()


@given(st.lists(st.sampled_from(BLOCKS)))
def test_parts_and_calls_come_in_the_order_of_the_blocks(blocks: list[Block]) -> None:
    messages = to_messages(blocks)
    sent = [part for message in messages for part in (*message.parts, *message.calls)]
    alone = [(*message.parts, *message.calls)[0] for block in blocks for message in to_messages([block])]
    assert sent == alone
    assert all(message.calls for message in messages[:-1])


def test_fields_beside_an_answer_are_no_part_of_it() -> None:
    part = {"type": "server_tool_use", "id": "s"}
    assert to_messages([Block("opaque", extra={"reasoning_details": []}), Block("opaque", extra=part)]) == (
        Message("assistant", (Opaque(part),)),
    )
