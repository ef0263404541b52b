"""Messages in their order, and results behind their calls."""

from typing import Any

import pytest

from gateway.anthropic.messages import parse_messages, parse_system
from gateway.openai.errors import InvalidRequestError
from gateway.openai.messages import MAX_MESSAGES
from wire.prompt import Message, Text, ToolCall

HI = {"role": "user", "content": "hi"}
ASKED = Message("user", (Text("hi"),), string=True)


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content}


def call(id_: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": "add", "input": {}}


def result(id_: str, content: object = "4", **rest: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **rest}


def answered(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def asked(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def refusal(messages: object) -> str | None:
    """The name of what is refused."""
    with pytest.raises(InvalidRequestError) as refused:
        parse_messages(messages)
    return refused.value.fault.param


def test_what_follows_a_call_is_a_message_of_its_own() -> None:
    called = ToolCall("c1", "add", "{}"), ToolCall("c2", "add", "{}")
    messages = [
        HI,
        answered(text("a"), call("c1"), text("b"), call("c2")),
        asked(result("c1"), result("c2", [text("x"), text("y")], is_error=True, cache_control={}), text("on")),
    ]
    assert parse_messages(messages) == (
        ASKED,
        Message("assistant", (Text("a"),), calls=called[:1]),
        Message("assistant", (Text("b"),), calls=called[1:]),
        Message("tool", (Text("4"),), string=True, call_id="c1"),
        Message("tool", (Text("x"), Text("y")), call_id="c2", is_error=True, extra={"cache_control": {}}),
        Message("user", (Text("on"),)),
    )


def test_calls_side_by_side_are_in_one_message() -> None:
    _, answer, *_ = parse_messages([HI, answered(call("a"), call("b")), asked(result("a"), result("b", None))])
    assert [called.id for called in answer.calls] == ["a", "b"]


def test_an_answer_may_have_begun_and_systems_may_speak_in_between() -> None:
    messages = [HI, {"role": "system", "content": "be brief"}, {"role": "assistant", "content": "Well,"}]
    roles = [(message.role, message.text) for message in parse_messages(messages)]
    assert roles == [("user", "hi"), ("system", "be brief"), ("assistant", "Well,")]


def test_an_answer_of_foreign_thinking_alone_is_empty() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "foreign"}
    assert parse_messages([HI, answered(thinking), HI]) == (ASKED, Message("assistant"), ASKED)


def test_answers_and_results_in_several_messages_belong_together() -> None:
    messages = [HI, answered(call("a")), answered(call("b")), asked(result("a")), asked(result("b"), text("on"))]
    assert len(parse_messages(messages)) == 6


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([HI, answered(call("a")), HI], "messages[2]"),
        ([HI, answered(call("a"))], "messages"),
        ([HI, answered(call("a"), call("b")), asked(result("a"))], "messages"),
        ([HI, answered(call("a")), asked(text("first"), result("a"))], "messages[2]"),
        ([HI, answered(call("a"), call("b")), asked(result("a"), text("x"), result("b"))], "messages[2]"),
        ([asked(result("a"))], "messages[0]"),
        ([HI, answered(call("a")), asked(result("b"))], "messages[2]"),
        ([HI, answered(call("a")), asked(result("a")), answered(text("x")), asked(result("a"))], "messages[4]"),
    ],
)
def test_a_call_without_a_result_or_the_other_way_round_is_refused(messages: list[Any], param: str) -> None:
    assert refusal(messages) == param


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ([1], "messages[0]"),
        ([HI] * (MAX_MESSAGES + 1), "messages"),
        ([{"role": "nobody", "content": "x"}], "messages[0].role"),
        ([{"role": [], "content": []}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": " "}], "messages"),
        ([HI, answered(result("a"))], "messages[1].content[0].type"),
        ([asked(call("a"))], "messages[0].content[0].type"),
        ([HI, answered(*(call(str(number)) for number in range(129)))], "messages[1].content"),
        ([asked(result(""))], "messages[0].content[0].tool_use_id"),
        ([asked(result("a", is_error="x"))], "messages[0].content[0].is_error"),
        ([{"role": "system", "content": [call("a")]}], "messages[0].content[0].type"),
    ],
)
def test_what_can_not_be_read_is_refused_by_its_name(messages: object, param: str) -> None:
    assert refusal(messages) == param


def test_pictures_are_counted_in_all_messages() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://e.org"}}
    assert refusal([asked(*[picture] * 126), asked(*[picture] * 125)]) == "messages"


@pytest.mark.parametrize("given", [None, "", []])
def test_without_a_system_there_is_no_message_of_it(given: object) -> None:
    assert parse_system(given) == ()


def test_a_system_may_be_a_string_or_blocks() -> None:
    assert parse_system("a") == (Message("system", (Text("a"),), string=True),)
    cached = text("b") | {"cache_control": {"type": "ephemeral"}}
    parts = (Text("a"), Text("b", {"cache_control": {"type": "ephemeral"}}))
    assert parse_system([text("a"), cached]) == (Message("system", parts),)
