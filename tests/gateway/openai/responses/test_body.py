"""The body of a response: its bytes, and the fields of the request that come back in it."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.responses.body import ResponseBody
from gateway.openai.service import SubmittedQuestion
from wire.about import About, describe
from wire.blocks import Block, Piece
from wire.messages import Chat, Delta, Final, FinishReason, Source, Usage

ANSWER = "s0-" + "a" * 32
TEXT = describe(Chat("balanced", "hello"))
EMPTY = (
    f'{{"id":"resp_{ANSWER}","object":"response","created_at":1704164645,"status":"queued","background":false,'
    '"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,'
    '"model":"bing-balanced","output":[],"parallel_tool_calls":true,"previous_response_id":null,'
    '"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":null,'
    '"store":true,"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],'
    '"top_logprobs":null,"top_p":null,"truncation":"disabled","usage":null,"metadata":{}}'
)


def asked(**echo: Any) -> About:
    return About("chat", dialect="responses", model="asked", prompt_bytes=40, echo=echo)


def body(about: About = TEXT) -> ResponseBody:
    return ResponseBody(cast(SubmittedQuestion, SimpleNamespace(answer=ANSWER, accepted=1704164645, about=about)))


def whole(*events: Delta | Final, about: About = TEXT, stopped: bool = False) -> dict[str, Any]:
    answer = AnswerAssembler()
    for event in events:
        answer.add(event)
    built: dict[str, Any] = msgspec.to_builtins(body(about).build_whole(answer, answer.blocks, stopped=stopped))
    return built


def test_a_response_without_an_output_has_all_fields_in_the_order_of_the_api() -> None:
    assert msgspec.json.encode(body().build_empty("queued")).decode() == EMPTY


def test_fields_of_the_request_come_back_and_others_are_not_there() -> None:
    echo = {
        "store": False,
        "user": "u",
        "conversation": {"id": "c", "more": 1},
        "metadata": {"a": 1},
        "instructions": [{"role": "developer", "content": "be brief"}],
        "tools": [{"type": "function", "name": "add", "parameters": {}, "strict": None}],
        "tool_choice": {"type": "function", "name": "add"},
    }
    ours = {"include": ["reasoning.encrypted_content"], "status": "theirs", "of another version": 1}
    built = msgspec.to_builtins(body(asked(**echo, **ours)).build_empty("in_progress"))
    assert {name: built[name] for name in echo} == echo
    assert list(built)[-2:] == ["user", "conversation"]
    assert built["status"] == "in_progress"
    assert not {"include", "of another version"} & built.keys()


def test_what_the_api_adds_inside_of_a_field_is_added() -> None:
    built = body(asked(reasoning={"effort": "low"}, text={"verbosity": "low"}, metadata=None)).build_empty("queued")
    assert built.reasoning == {"effort": "low", "summary": None}
    assert built.text == {"format": {"type": "text"}, "verbosity": "low"}
    assert built.metadata == {}


@pytest.mark.parametrize(("about", "shown"), [(msgspec.structs.replace(TEXT, instructions="i"), "i"), (asked(), None)])
def test_system_messages_of_the_input_are_no_instructions(about: About, shown: str | None) -> None:
    assert body(msgspec.structs.replace(about, instructions="i")).build_empty("queued").instructions == shown


def test_the_model_is_the_one_asked_for_until_an_event_names_the_real_one() -> None:
    assert body(asked()).build_empty("queued").model == "asked"
    assert whole(Final("a", model="served"), about=asked())["model"] == "served"
    assert whole(Final("a"), about=asked())["model"] == "asked"
    assert whole(Final("a", model="served"))["model"] == "bing-balanced"


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter"), ("stop", None)]
)
def test_an_answer_that_was_cut_upstream_is_incomplete(finish: FinishReason, reason: str | None) -> None:
    blocks = (Block("reasoning", "hm"), Block("text", "text"))
    built = whole(Final("text", finish=finish, blocks=blocks))
    assert built["status"] == ("incomplete" if reason else "completed")
    assert built["incomplete_details"] == ({"reason": reason} if reason else None)
    assert built["output"][-1]["status"] == built["status"]


def test_of_an_incomplete_answer_only_the_last_item_lacks_something() -> None:
    text, call = Block("text", "a"), Block("tool_call", "{}", "c", "add")

    def statuses(*blocks: Block) -> list[str]:
        built = whole(Final("a", finish="length", blocks=blocks))
        return [item["status"] for item in built["output"]]

    assert statuses(call, text) == ["completed", "incomplete"]
    assert statuses(text, call) == ["completed", "completed"]
    assert statuses(text, Block("opaque", extra={"a": 1})) == ["incomplete"]


@pytest.mark.parametrize("end", [Final("", stopped=True), Final("", finish="length")])
def test_a_call_that_is_not_whole_is_no_item(end: Final) -> None:
    begun = Delta("a", pieces=(Piece(0, "text", "a"), Piece(1, "tool_call", '{"a', "c", "add")))
    end = msgspec.structs.replace(end, text="a", blocks=() if end.stopped else (Block("text", "a"),))
    built = whole(begun, end, stopped=end.stopped)
    assert [item["type"] for item in built["output"]] == ["message"]
    assert built["status"] == ("cancelled" if end.stopped else "incomplete")


def test_a_response_that_only_refuses_is_complete_and_not_empty() -> None:
    built = whole(Final("", blocks=(Block("refusal", "no"),), ended="refusal"))
    assert built["status"] == "completed"
    assert built["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]


def test_only_the_last_item_has_citations() -> None:
    source, two = Source("T", "https://x"), (Block("text", "ab"), Block("text", "cde"))
    first, last = whole(Final("abcde", (source,), blocks=two))["output"]
    assert first["content"][0]["annotations"] == []
    (cited,) = last["content"][0]["annotations"]
    assert (cited["start_index"], cited["end_index"], cited["url"]) == (3, 3, "https://x")
    assert "annotations" not in whole(Final("", (source,), blocks=(Block("reasoning", "hm"),)))["output"][0]


def test_a_stopped_answer_is_cancelled_and_counted_tokens_are_not_marked() -> None:
    built = whole(Final("text", usage=Usage(9, 4, cached=2, cache_written=1, reasoning=3)), stopped=True)
    assert (built["status"], built["output"][0]["status"]) == ("cancelled", "incomplete")
    assert built["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 1},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 13,
    }


def test_thoughts_and_calls_are_counted_in_an_estimate() -> None:
    blocks = (Block("reasoning", "x" * 40), Block("tool_call", "y" * 36, "c", "name"))
    usage = whole(Final("", blocks=blocks), about=asked())["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["estimated"]) == (10, 20, True)
