"""The items of a response's output, by the blocks that they are made of."""

import json
from typing import Any

import msgspec
import pytest

from gateway.answering.thought_fields import unpack
from gateway.openai.responses.output_items import LOGPROBS, SEALED_THOUGHTS, ResponseItems
from wire.about import About
from wire.blocks import Block

TOKENS: list[Any] = [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": []}]
LIKELY = Block("text", "a", extra={"logprobs": {"content": TOKENS, "refusal": None}})


def items(**echo: Any) -> ResponseItems:
    return ResponseItems("s0-1", About("chat", dialect="responses", echo=echo))


def build(block: Block, **echo: Any) -> Any:
    return json.loads(msgspec.json.encode(items(**echo).build(3, block)))


def test_a_text_and_a_refusal_are_messages_of_one_part() -> None:
    message = {"id": "msg_s0-1_3", "type": "message", "status": "completed", "role": "assistant"}
    text = {"type": "output_text", "text": "a", "annotations": [], "logprobs": []}
    assert build(Block("text", "a")) == message | {"content": [text]}
    assert build(Block("refusal", "no")) == message | {"content": [{"type": "refusal", "refusal": "no"}]}


def test_calls_have_the_servers_own_fields_beside_those_of_the_api() -> None:
    extra = {"extra_content": {"s": 1}, "status": "theirs"}
    call = {"status": "completed", "call_id": "c1", "name": "add"}
    assert build(Block("tool_call", "{}", "c1", "add", extra=extra)) == call | {
        "id": "fc_s0-1_3",
        "type": "function_call",
        "arguments": "{}",
        "extra_content": {"s": 1},
    }
    assert build(Block("tool_call", "ls", "c1", "add", custom=True)) == call | {
        "id": "ctc_s0-1_3",
        "type": "custom_tool_call",
        "input": "ls",
    }


def test_a_thought_has_what_its_server_sent_with_it_only_where_that_was_asked_for() -> None:
    thought = Block("reasoning", "hm", extra={"signature": "sealed"})
    bare = {"id": "rs_s0-1_3", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    assert build(thought) == bare
    asked = build(thought, include=[SEALED_THOUGHTS])
    assert unpack(asked.pop("encrypted_content")) == {"signature": "sealed"}
    assert asked == bare


def test_a_thought_that_its_server_hides_has_no_summary() -> None:
    hidden = build(Block("reasoning", extra={"data": "sealed"}), include=[SEALED_THOUGHTS])
    assert (hidden["summary"], unpack(hidden["encrypted_content"])) == ([], {"data": "sealed"})


@pytest.mark.parametrize(
    ("echo", "shown"), [({}, []), ({"include": [LOGPROBS]}, TOKENS), ({"top_logprobs": 2}, TOKENS)]
)
def test_log_probabilities_are_there_where_they_were_asked_for(echo: dict[str, Any], shown: list[Any]) -> None:
    assert build(LIKELY, **echo)["content"][0]["logprobs"] == shown


@pytest.mark.parametrize("given", [None, [], {"content": None}, {"content": {"a": 1}}, {"refusal": TOKENS}])
def test_log_probabilities_of_another_shape_are_left_out(given: Any) -> None:
    odd = Block("text", "a", extra={"logprobs": given})
    assert build(odd, include=[LOGPROBS])["content"][0]["logprobs"] == []


@pytest.mark.parametrize(
    ("block", "empty"),
    [
        (LIKELY, {"content": []}),
        (Block("reasoning", "hm", extra={"signature": "s"}), {"summary": []}),
        (Block("tool_call", "{}", "c", "add"), {"arguments": ""}),
        (Block("tool_call", "ls", "c", "run", custom=True), {"input": ""}),
    ],
)
def test_an_item_begins_without_its_text(block: Block, empty: dict[str, Any]) -> None:
    item = json.loads(msgspec.json.encode(items(include=[SEALED_THOUGHTS]).begin(3, block)))
    assert item.items() >= empty.items()
    assert item.get("status", "in_progress") == "in_progress"
    assert "encrypted_content" not in item
