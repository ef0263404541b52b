"""What a client dropped of an answer is put back for the server that gave it."""

from typing import Any

import pytest

from wire.blocks import Block
from wire.call_memory import MAX_RECORD, CallRecord
from wire.prompt import Message, Prompt, Text, ToolCall
from worker.providers.call_records import call_keys, make_records, put_back

SIGNED = {"extra_content": {"google": {"thought_signature": "s"}}}
DETAILS = {"reasoning_details": [{"text": "hm"}]}
BLOCKS = (
    Block("reasoning", "hm", extra=DETAILS),
    Block("text", "Let me see.", extra={"logprobs": {"content": []}}),
    Block("tool_call", "{}", "c1", "add", extra=SIGNED),
    Block("tool_call", "{}", "c2", "add"),
    Block("opaque", extra=DETAILS),
)
RECORD = CallRecord(
    "openai", "m", SIGNED, {"reasoning_details": [{"text": "hm"}, {"text": "hm"}], "reasoning_content": "hm"}
)


def key(id_: str, arguments: str = "{}") -> str:
    (only,) = call_keys(Prompt("chat", "m", (Message("assistant", calls=(ToolCall(id_, "add", arguments),)),)))
    return only


def test_another_call_of_the_same_id_is_not_taken_for_it() -> None:
    assert key("c", '{"a": 1, "b": 2}') == key("c", '{"b":2,"a":1}')
    assert key("c", "") == key("c", "{}")
    assert len({key("c"), key("d"), key("c", '{"a": 1}')}) == 3


def test_the_first_call_has_what_came_with_the_message() -> None:
    assert make_records(BLOCKS, "openai", "m", "reasoning_content") == {key("c1"): RECORD}


def test_an_answer_without_calls_or_without_anything_beside_them_leaves_nothing() -> None:
    assert make_records(BLOCKS[:2], "openai", "m", "reasoning") == {}
    assert make_records((Block("text", "a"), Block("tool_call", "{}", "c", "add")), "openai", "m", "") == {}


def test_what_is_too_large_of_a_message_is_left_out() -> None:
    huge = (Block("reasoning", "x" * MAX_RECORD), *BLOCKS[2:4])
    assert make_records(huge, "openai", "m", "reasoning") == {key("c1"): CallRecord("openai", "m", SIGNED)}


def asked(call: dict[str, Any], message: dict[str, Any]) -> Prompt:
    calls = (ToolCall("c1", "add", "{}", extra=call), ToolCall("c2", "add", "{}"))
    return Prompt(
        "chat",
        "m",
        (
            Message("user", (Text("q"),)),
            Message("assistant", calls=calls, extra=message),
            Message("tool", (Text("1"),), call_id="c1"),
        ),
    )


def completed(prompt: Prompt, kind: str = "openai", model: str = "m") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the extra fields of the first call and of its message."""
    message = put_back(prompt, {key("c1"): RECORD}, kind, model).messages[1]
    return message.calls[0].extra, message.extra


def test_all_that_was_dropped_is_put_back() -> None:
    assert completed(asked({}, {})) == (RECORD.call, RECORD.message)
    assert call_keys(asked({}, {})) == [key("c1"), key("c2")]


def test_what_the_client_sent_remains() -> None:
    own = {"reasoning_details": [{"text": "mine"}], "x": 1}
    assert completed(asked({"y": 2}, own)) == ({**SIGNED, "y": 2}, {**own, "reasoning_content": "hm"})


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_that_the_client_sent_under_any_name_is_not_doubled(field: str) -> None:
    _, message = completed(asked({}, {field: "hm"}))
    assert message == {field: "hm", "reasoning_details": RECORD.message["reasoning_details"]}


def test_an_empty_field_counts_as_dropped() -> None:
    _, message = completed(asked({}, {"reasoning_content": None}))
    assert message["reasoning_content"] == "hm"


@pytest.mark.parametrize(("kind", "model"), [("anthropic", "m"), ("openai", "n")])
def test_another_servers_or_models_request_stays_as_it_is(kind: str, model: str) -> None:
    assert completed(asked({}, {}), kind, model) == ({}, {})
