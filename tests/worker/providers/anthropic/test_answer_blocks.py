from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from wire.blocks import Block
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.anthropic.answer_blocks import AnswerBlocks
from worker.providers.openai.normaliser import MAX_ANSWER


def start_all(answer: AnswerBlocks, blocks: Sequence[Mapping[str, Any]]) -> None:
    """Begin blocks, one after the other."""
    for number, block in enumerate(blocks):
        answer.start(block, number)


def test_without_envelopes_no_extra_fields_leave() -> None:
    answer = AnswerBlocks()
    answer.start({"type": "thinking", "thinking": "hm", "signature": "s"})
    answer.start({"type": "web_search_tool_result", "content": []})
    answer.start({"type": "text", "text": "a", "citations": [{"url": "https://a/"}]})
    assert answer.end(cut=False) == (Block("reasoning", "hm"), Block("text", "a"))


def test_a_block_that_begins_ends_the_one_before() -> None:
    answer = AnswerBlocks()
    answer.start({"type": "tool_use", "id": "c", "name": "now", "input": {}})
    answer.start({"type": "text", "text": "a"})
    assert [piece.block for piece in answer.take()] == [0, 0, 1]
    assert [block.text for block in answer.end(cut=False)] == ["{}", "a"]


def test_its_size_grows_with_each_part() -> None:
    answer = AnswerBlocks()
    sizes = [answer.size]
    answer.start({"type": "text", "text": ""})
    sizes.append(answer.size)
    for delta in ({"type": "text_delta", "text": "a"}, {"type": "signature_delta", "signature": "s"}):
        answer.add(delta)
        sizes.append(answer.size)
    assert sizes == sorted(set(sizes))
    assert answer.has_begun


@pytest.mark.parametrize(
    ("delta", "begun"),
    [
        ({"type": "text_delta", "text": "b"}, Block("text", "b")),
        ({"type": "thinking_delta", "thinking": "b"}, Block("reasoning", "b")),
    ],
)
def test_what_can_not_belong_to_a_call_begins_a_block(delta: dict[str, Any], begun: Block) -> None:
    answer = AnswerBlocks()
    answer.start({"type": "tool_use", "id": "c", "name": "add", "input": {"a": 1}})
    answer.add(delta)
    assert answer.end(cut=False) == (Block("tool_call", '{"a": 1}', "c", "add"), begun)


def test_arguments_never_get_lost_or_to_another_call() -> None:
    more = {"type": "input_json_delta", "partial_json": "{}"}
    answer = AnswerBlocks()
    with pytest.raises(UpstreamError, match="without a call") as caught:
        answer.add(more)
    assert caught.value.reason == Reason.UPSTREAM_PROTOCOL
    answer = AnswerBlocks()
    answer.start({"type": "tool_use", "id": "c", "name": "add"}, 0)
    answer.start({"type": "tool_use", "id": "d", "name": "sub"}, 1)
    answer.add(more, 1)
    with pytest.raises(UpstreamError, match="at the same time"):
        answer.add(more, 0)


def test_one_index_for_all_blocks_is_none() -> None:
    answer = AnswerBlocks()
    for name in ("add", "sub"):
        answer.start({"type": "tool_use", "id": name, "name": name}, 0)
        answer.add({"type": "input_json_delta", "partial_json": f'{{"{name}": 1}}'}, 0)
    assert [block.text for block in answer.end(cut=False)] == ['{"add": 1}', '{"sub": 1}']


def test_a_place_that_no_answer_has_is_none() -> None:
    """A number of thousands of digits would be remembered for each block."""
    answer = AnswerBlocks()
    answer.start({"type": "text", "text": "a"}, 10**4000)
    answer.start({"type": "tool_use", "id": "c", "name": "add"}, -1)
    answer.add({"type": "input_json_delta", "partial_json": "{}"}, 10**4000)
    assert [block.text for block in answer.end(cut=False)] == ["a", "{}"]


@pytest.mark.parametrize("odd", [None, 1, [], {}])
def test_odd_kinds_and_names_are_none(odd: Any) -> None:
    answer = AnswerBlocks(custom=frozenset({"add"}))
    answer.start({"type": "tool_use", "id": odd, "name": odd, "input": odd})
    answer.add({"type": odd, "text": "a"})
    answer.start({"type": odd, "text": "a"})
    assert [block.kind for block in answer.end(cut=False)] == []


@pytest.mark.parametrize(
    "block",
    [{"type": "tool_use", "id": "c", "name": "y" * 100_000}, {"type": "tool_use", "id": "x" * 100_000, "name": "n"}],
)
def test_the_names_and_ids_of_calls_count(block: dict[str, Any]) -> None:
    answer = AnswerBlocks()
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        start_all(answer, [block] * 100)


def test_a_place_that_is_no_number_is_none() -> None:
    answer = AnswerBlocks()
    for place in ("x" * 1000, {"a": 1}, [1], 0, 1):
        answer.start({"type": "text", "text": "a"}, place)
    assert answer._unstopped == {0}
    with pytest.raises(UpstreamError):
        answer.add({"type": "text_delta", "text": "b"}, 0)


def test_control_characters_count_as_the_json_that_they_become() -> None:
    answer = AnswerBlocks()
    with pytest.raises(UpstreamError, match=r"transport\.toobig"):
        answer.add({"type": "text_delta", "text": "\x01" * (MAX_ANSWER // 5)})
