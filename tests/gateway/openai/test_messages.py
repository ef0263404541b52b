"""Lists of messages become a question with all that was said before it."""

from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.messages import parse_messages
from wire.messages import HistoryMessage


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def system(text: Any, role: str = "system") -> dict[str, Any]:
    return {"role": role, "content": text}


def test_what_is_said_first_by_the_system_are_instructions() -> None:
    prompt = parse_messages([system("be brief"), system("be kind", "developer"), user("hi")], "messages")
    assert (prompt.instructions, prompt.history, prompt.question) == ("be brief\n\nbe kind", (), "hi")
    assert prompt.known == 0


def test_instructions_of_the_request_go_before_those_of_the_messages() -> None:
    prompt = parse_messages([system("second"), user("hi")], "input", "first")
    assert prompt.instructions == "first\n\nsecond"
    assert prompt.messages[0] == HistoryMessage("system", "first")


def test_the_question_is_all_that_comes_after_the_last_answer() -> None:
    prompt = parse_messages(
        [
            user("one"),
            assistant("1"),
            system("be brief"),
            user("two"),
            {"role": "assistant", "content": None, "tool_calls": [{"id": "x"}]},
            {"role": "tool", "tool_call_id": "x", "content": "42"},
            user("well?"),
        ],
        "messages",
    )
    assert prompt.question == "42\n\nwell?"
    assert prompt.history == (
        HistoryMessage("user", "one"),
        HistoryMessage("assistant", "1"),
        HistoryMessage("system", "be brief"),
        HistoryMessage("user", "two"),
    )
    assert prompt.known == 5


def test_what_the_system_says_beside_the_question_is_not_lost() -> None:
    prompt = parse_messages([user("one"), assistant("1"), user("two"), system("in French")], "messages")
    assert prompt.question == "two\n\nin French"


def test_parts_of_text_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}, {"type": "output_text", "text": "c"}]
    assert parse_messages([user(parts)], "input").question == "a\n\nb\n\nc"


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert parse_messages([user("a\ud83d")], "messages").question == "a\ufffd"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("hi", "messages"),
        (["hi"], "messages[0]"),
        ([user(None)], "messages[0].content"),
        ([user(5)], "messages[0].content"),
        ([user([5])], "messages[0].content[0]"),
        ([user([{"type": "text"}])], "messages[0].content[0].text"),
        ([user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}])], "messages[0].content[1]"),
        ([user([{"type": "input_audio"}])], "messages[0].content[0]"),
        ([user([{"type": ["x"]}])], "messages[0].content[0]"),
        ([user("hi"), {"role": "nobody", "content": "x"}], "messages[1].role"),
        ([{"role": ["user"], "content": "x"}], "messages[0].role"),
        ([{"type": "function_call_output", "output": "x"}], "messages[0].type"),
        ([user("hi"), assistant("ho")], "messages"),
        ([system("be brief")], "messages"),
        ([user("hi"), assistant("ho"), system("be brief")], "messages"),
        ([user("  ")], "messages"),
    ],
)
def test_what_can_not_be_understood_is_named(messages: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_messages(messages, "messages")
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)
