from wire.blocks import Block
from worker.providers.anthropic.answer_blocks import AnswerBlocks


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
