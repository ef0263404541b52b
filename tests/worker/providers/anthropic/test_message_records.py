import pytest

from wire.blocks import Block
from wire.call_memory import MAX_RECORD
from wire.prompt import Message, Prompt, ToolCall
from worker.providers.anthropic.message_records import make_records, thinking_block
from worker.providers.call_records import put_back

FIRST = Block("tool_call", "{}", "c1", "add", extra={"caller": {"type": "direct"}})
SECOND = Block("tool_call", "{}", "c2", "add")


def signed(text: str, signature: str) -> tuple[Block, dict[str, str]]:
    shown = {"type": "thinking", "thinking": text, "signature": signature}
    return Block("reasoning", text, extra={"signature": signature}), shown


def test_each_call_has_the_thoughts_since_the_one_before() -> None:
    one, shown = signed("a", "s")
    hidden = Block("reasoning", "", extra={"data": "d"})
    two, shown_later = signed("b", "t")
    records = make_records((one, hidden, Block("text", "so"), FIRST, two, SECOND), "anthropic", "m")
    calls = tuple(ToolCall(block.id, block.name, block.text) for block in (FIRST, SECOND))
    prompt = Prompt("chat", "m", (Message("assistant", calls=calls),))
    (message,) = put_back(prompt, records, "anthropic", "m").messages
    assert message.extra == {"thinking_blocks": [shown, {"type": "redacted_thinking", "data": "d"}]}
    assert [call.extra for call in message.calls] == [FIRST.extra, {"thinking_blocks": [shown_later]}]
    assert put_back(prompt, records, "anthropic", "other") == prompt


def test_an_answer_without_thoughts_leaves_nothing() -> None:
    assert make_records((Block("reasoning", "hm"), SECOND), "anthropic", "m") == {}


@pytest.mark.parametrize("extra", [{}, {"signature": ""}, {"reasoning_details": []}])
def test_a_thought_without_what_proves_it_is_none(extra: dict[str, object]) -> None:
    assert thinking_block(Block("reasoning", "hm", extra=extra)) is None


def test_thoughts_that_are_too_large_are_not_kept() -> None:
    assert make_records((signed("x" * MAX_RECORD, "s")[0], SECOND), "anthropic", "m") == {}
