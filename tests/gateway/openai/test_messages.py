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
        ([user("  ")], "messages"),
        ([assistant("")], "messages"),
        ([user("hi"), assistant("ho"), user([{"type": "image_url"}])], "messages[2].content[0]"),
        ([system("see"), user([{"type": "input_file"}])], "messages[1].content[0]"),
    ],
)
def test_what_can_not_be_understood_is_named(messages: Any, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_messages(messages, "messages")
    assert (caught.value.fault.status, caught.value.fault.param) == (400, param)


def test_one_plain_question_needs_no_list() -> None:
    prompt = parse_messages([system("be brief"), user("one"), assistant("1"), user("two")], "messages")
    assert (prompt.leading, prompt.asked) == ((), ())


def test_a_first_greeting_by_the_assistant_is_kept() -> None:
    prompt = parse_messages([assistant("Welcome!"), user("hi")], "messages")
    assert (prompt.history, prompt.question, prompt.known) == ((HistoryMessage("assistant", "Welcome!"),), "hi", 1)


def test_names_are_kept_and_no_part_of_the_text() -> None:
    prompt = parse_messages([user("a") | {"name": "Ann"}, assistant("b"), user("c") | {"name": "Bob"}], "messages")
    assert prompt.history[0] == HistoryMessage("user", "a", "Ann")
    assert (prompt.question, prompt.asked) == ("c", (HistoryMessage("user", "c", "Bob"),))


@pytest.mark.parametrize(
    ("messages", "known", "question"),
    [
        ([user("hi"), assistant("Once")], 0, "hi\n\nYour answer has begun like this. Continue it:\n\nOnce"),
        ([assistant("Once")], 0, "Your answer has begun like this. Continue it:\n\nOnce"),
        ([user("hi"), assistant("ho"), system("be brief")], 2, "be brief"),
        ([user("hi"), system("be brief")], 0, "hi\n\nbe brief"),
    ],
)
def test_whoever_is_last_the_list_is_answered(messages: Any, known: int, question: str) -> None:
    prompt = parse_messages(messages, "messages")
    assert (prompt.known, prompt.question) == (known, question)
    assert [message.text for message in prompt.asked] == [message["content"] for message in messages[known:]]


def test_messages_of_the_system_alone_are_asked() -> None:
    prompt = parse_messages([system("write a poem"), system("a short one")], "messages")
    assert (prompt.instructions, prompt.question) == ("", "write a poem\n\na short one")
    assert [message.role for message in prompt.asked] == ["system", "system"]
    prompt = parse_messages([system("write a poem")], "input", "be brief")
    assert (prompt.instructions, prompt.question) == ("be brief", "write a poem")


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("image_url", "[picture]"),
        ("input_image", "[picture]"),
        ("file", "[file]"),
        ("input_file", "[file]"),
        ("input_audio", "[audio]"),
        ("hologram", "[attachment]"),
    ],
)
def test_what_an_old_message_holds_beside_text_is_a_note(kind: str, note: str) -> None:
    prompt = parse_messages([user([{"type": "text", "text": "see"}, {"type": kind}]), assistant("1"), user("2")], "m")
    assert prompt.history[0] == HistoryMessage("user", f"see\n\n{note}")
