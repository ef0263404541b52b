"""The parts of a whole message."""

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.answering.thought_fields import pack
from gateway.anthropic.message_body import encode_message
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.errors import AnswerFailedError
from gateway.openai.service import SubmittedQuestion
from wire.about import About
from wire.blocks import Block, Piece
from wire.messages import Delta, EndReason, Final, FinishReason, Source, Usage

ABOUT = About("chat", dialect="anthropic", model="asked", prompt_bytes=40)


def whole(*events: Delta | Final, stops: tuple[str, ...] = (), about: About = ABOUT) -> dict[str, Any]:
    """The message of an answer."""
    answer = AnswerAssembler(stops)
    for event in events:
        answer.add(event)
    question = cast(SubmittedQuestion, SimpleNamespace(answer="s0-1", about=about))
    message: dict[str, Any] = json.loads(encode_message(question, answer))
    return message


@pytest.mark.parametrize(
    ("block", "content"),
    [
        (Block("text", "a"), {"type": "text", "text": "a"}),
        (Block("text", "a", extra={"citations": [{"c": 1}]}), {"type": "text", "text": "a", "citations": [{"c": 1}]}),
        (Block("refusal", "no"), {"type": "text", "text": "no"}),
        (Block("reasoning", "hm"), {"type": "thinking", "thinking": "hm", "signature": pack({})}),
        (
            Block("reasoning", "", extra={"signature": "s"}),
            {"type": "thinking", "thinking": "", "signature": pack({"signature": "s"})},
        ),
        (Block("reasoning", "", extra={"data": "d"}), {"type": "redacted_thinking", "data": pack({"data": "d"})}),
        (
            Block("tool_call", '{"a": {"b": 1}}', "c", "f"),
            {"type": "tool_use", "id": "c", "name": "f", "input": {"a": {"b": 1}}},
        ),
        (Block("tool_call", "", "c", "f"), {"type": "tool_use", "id": "c", "name": "f", "input": {}}),
        (
            Block("tool_call", "{'a'", "c", "f"),
            {"type": "tool_use", "id": "c", "name": "f", "input": {"INVALID_JSON": "{'a'"}},
        ),
        (
            Block("tool_call", "[1]", "c", "f"),
            {"type": "tool_use", "id": "c", "name": "f", "input": {"INVALID_JSON": "[1]"}},
        ),
        (
            Block("tool_call", '{"a": ["\\ud800b", 123456789012345678901]}', "c", "f"),
            {"type": "tool_use", "id": "c", "name": "f", "input": {"a": ["\ufffdb", 1.2345678901234568e20]}},
        ),
        (
            Block("tool_call", 'l"s', "c", "sh", custom=True),
            {"type": "tool_use", "id": "c", "name": "sh", "input": {"input": 'l"s'}},
        ),
        (
            Block(
                "opaque", extra={"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}
            ),
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
        ),
    ],
)
def test_a_block_is_a_block_of_content(block: Block, content: dict[str, Any]) -> None:
    assert whole(Final("", blocks=(block,)))["content"] == [content]


def test_a_block_that_only_servers_of_this_api_have_is_as_it_came() -> None:
    used = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}
    assert whole(Final("", blocks=(Block("opaque", extra=used),)))["content"] == [used]


def test_what_only_a_server_understands_is_not_shown() -> None:
    blocks = (Block("opaque", extra={"a": 1}), Block("text", "a"), Block("reasoning"), Block("text", ""))
    assert whole(Final("a", blocks=blocks))["content"] == [{"type": "text", "text": "a"}]


def test_a_page_that_the_server_cites_is_no_source_once_more() -> None:
    cited = {"type": "web_search_result_location", "url": "https://a/", "title": "A", "encrypted_index": "x"}
    block = Block("text", "a", extra={"citations": [cited]})
    sources = (Source("A", "https://a/"), Source("B", "https://b/"))
    [content] = whole(Final("a", sources, blocks=(block,)))["content"]
    assert [citation["url"] for citation in content["citations"]] == ["https://a/", "https://b/"]


@pytest.mark.parametrize(
    ("ended", "finish", "raw", "reason"),
    [
        ("", "stop", "stop", "end_turn"),
        ("", "length", "length", "max_tokens"),
        ("", "content_filter", "content_filter", "refusal"),
        ("tool_calls", "stop", "tool_calls", "tool_use"),
        ("refusal", "stop", "refusal", "refusal"),
        ("", "stop", "stop_sequence", "stop_sequence"),
        ("", "stop", "pause_turn", "pause_turn"),
        ("", "length", "model_context_window_exceeded", "model_context_window_exceeded"),
    ],
)
def test_an_end_has_its_word_in_this_api(ended: EndReason, finish: FinishReason, raw: str, reason: str) -> None:
    end = Final("a", ended=ended, finish=finish, finish_raw=raw, extra={"stop_sequence": "X"} if "seq" in raw else {})
    message = whole(end)
    assert (message["stop_reason"], message["stop_sequence"]) == (reason, "X" if "seq" in raw else None)


def test_tokens_of_caches_are_apart_from_the_others() -> None:
    assert whole(Final("a", usage=Usage(10, 3, cached=4, cache_written=5)))["usage"] == {
        "input_tokens": 1,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 4,
        "output_tokens": 3,
    }


def test_tokens_that_nobody_counted_are_an_estimate() -> None:
    usage = whole(Final("a" * 8))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["estimated"]) == (10, 2, True)


def test_the_model_is_the_one_that_answered() -> None:
    assert whole(Final("a", model="served"))["model"] == "served"
    assert whole(Final("a"))["model"] == "asked"
    # While a worker of the version before lives, the job is text.
    assert whole(Final("a"), about=About("chat", style="precise"))["model"] == "bing-precise"


def test_a_call_that_is_not_whole_is_in_no_message() -> None:
    call = Piece(0, "tool_call", '{"a', "c", "add")
    with pytest.raises(AnswerFailedError):
        whole(Delta("", pieces=(call,)), Final("", stopped=True))
