import pytest

from emulator.blocks import AnswerBlock
from emulator.responses.output_item import OutputItem

TEXTS = {
    "output_text": AnswerBlock("text"),
    "refusal": AnswerBlock("refusal"),
    "function_call_arguments": AnswerBlock("tool_call", id="c1", name="f"),
    "custom_tool_call_input": AnswerBlock("tool_call", id="c1", name="f", custom=True),
    "reasoning_summary_text": AnswerBlock("reasoning"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_an_item_grows_by_its_deltas_and_ends_with_all_of_them(name: str) -> None:
    item = OutputItem(TEXTS[name], "i1", 2, shows=True, encrypts=False)
    events = [*item.open(), *item.grow("one "), *item.grow("two"), *item.close()]
    assert [fields["delta"] for kind, fields in events if kind == f"response.{name}.delta"] == ["one ", "two"]
    (done,) = [fields for kind, fields in events if kind == f"response.{name}.done"]
    assert "one two" in done.values()
    assert {fields["output_index"] for _, fields in events} == {2}
    assert "one two" in str(item.whole)


def test_thoughts_that_arent_shown_leave_no_trace_but_their_seal() -> None:
    item = OutputItem(AnswerBlock("reasoning", "secret"), "i1", 0, shows=False, encrypts=True)
    events = [*item.open(), *item.grow("secret"), *item.close()]
    assert [kind for kind, _ in events] == ["response.output_item.added", "response.output_item.done"]
    assert item.whole["summary"] == []
    assert item.whole["encrypted_content"].startswith("gAAAA")


@pytest.mark.parametrize(
    ("block", "prefix"),
    [
        (AnswerBlock("text"), "msg"),
        (AnswerBlock("reasoning"), "rs"),
        (AnswerBlock("tool_call"), "fc"),
        (AnswerBlock("tool_call", custom=True), "ctc"),
    ],
)
def test_an_id_shows_the_kind(block: AnswerBlock, prefix: str) -> None:
    assert OutputItem.prefix(block) == prefix
