"""What a client dropped of an answer is put back for the server that gave it."""

from typing import Any

import pytest

from wire.blocks import Block
from wire.call_memory import MAX_RECORD, CallRecord
from wire.prompt import Message, Prompt, Text, ToolCall
from worker.providers.call_records import call_keys, find_place, make_records, put_back

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


UNIQUE = ["call_00_1fR4bTzqX", "toolu_01A09q90qw90lq917835lq9", "550e8400-e29b-41d4-a716-446655440000", "365174485"]
COUNTED = ["call_1", "0", "functions.look_up_2024_things:0", "call_look_up_2024_things_12"]
LOOK_UP = "look_up_2024_things"


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
    assert call_keys(asked({}, {}))[:2] == [key("c1"), key("c2")]


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


def conversation(question: str, id_: str, *earlier: Message) -> Prompt:
    """Return a conversation up to the result of the call that answered the question; `earlier` is all before that."""
    call = Message("assistant", calls=(ToolCall(id_, LOOK_UP, "{}"),))
    messages = (*earlier, Message("user", (Text(question),)), call, Message("tool", (Text("1"),), call_id=id_))
    return Prompt("chat", "m", messages)


def records_of(asked: Prompt, id_: str) -> dict[str, CallRecord]:
    """Return what is kept of the call that answered."""
    question = Prompt("chat", "m", asked.messages[:-2])
    blocks = (Block("reasoning", "hm"), Block("tool_call", "{}", id_, LOOK_UP))
    return make_records(blocks, "openai", "m", "reasoning", find_place(question))


def thought(prompt: Prompt, records: dict[str, CallRecord]) -> str | None:
    """Return the thought that is put back before the last call, of the records that are found by the prompt's calls."""
    found = {name: records[name] for name in call_keys(prompt) if name in records}
    value = put_back(prompt, found, "openai", "m").messages[-2].extra.get("reasoning")
    return value if isinstance(value, str) else None


@pytest.mark.parametrize("id_", UNIQUE + COUNTED)
def test_a_thought_is_found_when_the_conversation_continues(id_: str) -> None:
    asked = conversation("first", id_)
    assert thought(asked, records_of(asked, id_)) == "hm"


@pytest.mark.parametrize("id_", COUNTED)
def test_another_conversation_with_the_same_counted_call_has_no_part_in_it(id_: str) -> None:
    records = records_of(conversation("first", id_), id_)
    assert thought(conversation("second", id_), records) is None
    assert thought(conversation("second", id_, *conversation("first", id_).messages), records) is None


@pytest.mark.parametrize("id_", UNIQUE)
def test_a_call_that_no_other_conversation_has_needs_no_place(id_: str) -> None:
    assert thought(conversation("changed by its program", id_), records_of(conversation("first", id_), id_)) == "hm"


def test_a_conversation_keeps_its_thoughts_though_another_counts_alike() -> None:
    first, second = conversation("first", "call_1"), conversation("second", "call_1")
    assert records_of(first, "call_1").keys().isdisjoint(records_of(second, "call_1"))


@pytest.mark.parametrize("id_", UNIQUE + COUNTED)
def test_what_an_older_worker_kept_is_found(id_: str) -> None:
    older = make_records((Block("reasoning", "hm"), Block("tool_call", "{}", id_, LOOK_UP)), "openai", "m", "reasoning")
    assert thought(conversation("first", id_), older) == "hm"


def test_the_keys_of_older_workers_are_the_first_to_be_left_out() -> None:
    prompt = conversation("first", "call_1")
    assert call_keys(prompt)[-1] in records_of(prompt, "call_1")
    assert len(call_keys(prompt)) == 2


def test_a_long_id_is_read_in_the_time_of_its_length() -> None:
    asked = Message("user", (Text("q"),))
    answered = Message("assistant", calls=(ToolCall("a" * 1_000_000, "add", "{}"),))
    # With the square of it this would take an hour, and meet the limit that each test has.
    assert len(call_keys(Prompt("chat", "m", (asked, answered)))) == 2
