"""A prompt for an upstream that gets text alone."""

import sys

import msgspec
import pytest

from wire.messages import Chat, HistoryMessage, Prompted
from wire.prompt import (
    AnswerFormat,
    Message,
    Opaque,
    Picture,
    Prompt,
    PromptRole,
    Refusal,
    Text,
    Thought,
    Tool,
    ToolCall,
)
from wire.prompt_text import add_history, fill_text, is_text, joined_bytes, plain_question, to_text


def message(role: PromptRole, text: str, name: str = "") -> Message:
    return Message(role, (Text(text),) if text else (), name=name)


def test_the_question_is_all_that_comes_after_the_last_answer() -> None:
    call = Message("assistant", calls=(ToolCall("c1", "add", "{}"),))
    text = to_text(
        [
            message("system", "be brief"),
            message("developer", "be kind"),
            message("user", "one"),
            message("assistant", "1"),
            message("user", "two"),
            call,
            message("tool", "42"),
            message("user", "well?"),
        ]
    )
    assert (text.instructions, text.question, text.known) == ("be brief\n\nbe kind", "42\n\nwell?", 6)
    assert text.history == (
        HistoryMessage("user", "one"),
        HistoryMessage("assistant", "1"),
        HistoryMessage("user", "two"),
    )
    assert text.leading == (HistoryMessage("system", "be brief"), HistoryMessage("system", "be kind"))
    assert text.asked == (HistoryMessage("tool", "42"), HistoryMessage("user", "well?"))


def test_one_plain_question_needs_no_list() -> None:
    text = to_text(
        [message("system", "be brief"), message("user", "one"), message("assistant", "1"), message("user", "")]
    )
    assert (text.leading, text.asked) == ((), ())


def test_parts_that_are_no_text_are_notes() -> None:
    parts = (
        Text("a"),
        Picture("https://example.com/a.png"),
        Opaque({"type": "file"}),
        Opaque({"type": "x"}),
        Refusal("no"),
    )
    assert to_text([Message("user", parts)]).question == "a\n\n[picture]\n\n[file]\n\n[attachment]\n\nno"


@pytest.mark.parametrize("role", ["system", "developer"])
def test_messages_of_the_system_alone_are_the_question(role: PromptRole) -> None:
    assert to_text([message(role, "hi")]).question == "hi"


def test_an_answer_that_has_begun_is_to_be_continued() -> None:
    text = to_text([message("user", "count"), message("assistant", "1, 2")])
    assert text.question == "count\n\nYour answer has begun like this. Continue it:\n\n1, 2"


def test_work_gets_its_text_from_the_prompt() -> None:
    prompt = Prompt("chat", "m", (message("system", "be brief"), message("user", "hi", "Ann")))
    work = fill_text(Prompted("balanced", "", prompt=prompt))
    assert isinstance(work, Prompted)
    assert (work.instructions, work.question, work.history) == ("be brief", "hi", ())
    assert work.asked == (HistoryMessage("user", "hi", "Ann"),)
    plain = Chat("balanced", "hi")
    assert fill_text(plain) is plain


def test_earlier_messages_go_behind_those_of_the_system() -> None:
    prompt = Prompt("chat", "m", (message("system", "be brief"), message("user", "two")))
    earlier = (HistoryMessage("user", "one"), HistoryMessage("assistant", "1"))
    messages = add_history(prompt, earlier).messages
    assert [(each.role, each.text) for each in messages] == [
        ("system", "be brief"),
        ("user", "one"),
        ("assistant", "1"),
        ("user", "two"),
    ]
    alone = add_history(Prompt("chat", "m", (message("system", "hi"),)), earlier).messages
    assert [each.role for each in alone] == ["user", "assistant", "system"]


PLAIN = Prompt("chat", "bing-balanced", (message("user", "hi", "Ann"),))


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [
        (PLAIN, True),
        (msgspec.structs.replace(PLAIN, session="s", options={"stop": ["x"]}), True),
        (msgspec.structs.replace(PLAIN, options={"temperature": 1}), False),
        (msgspec.structs.replace(PLAIN, extra={"x": 1}), False),
        (msgspec.structs.replace(PLAIN, tools=(Tool("function", "add"),)), False),
        (msgspec.structs.replace(PLAIN, format=AnswerFormat("json")), False),
        *(
            (msgspec.structs.replace(PLAIN, messages=(other,)), False)
            for other in (
                Message("user", (Picture("https://e.org/a.png"),)),
                Message("user", (Text("a", {"x": 1}),)),
                Message("user", (Text("a"),), extra={"x": 1}),
                Message("assistant", calls=(ToolCall("c", "add", "{}"),)),
                Message("tool", (Text("a"),), call_id="c"),
            )
        ),
        (msgspec.structs.replace(PLAIN, messages=(Message("assistant", (Refusal("no"), Text("a"))),)), True),
    ],
)
def test_text_says_all_of_a_prompt_that_has_nothing_else(prompt: Prompt, plain: bool) -> None:
    assert is_text(prompt) == plain


def test_instructions_stay_so_before_messages_of_the_system_alone() -> None:
    text = to_text([message("system", "be brief"), message("system", "a poem")], instructions=1)
    assert (text.instructions, text.question) == ("be brief", "a poem")


def test_text_for_a_style_is_a_plain_question_without_its_options() -> None:
    messages = (message("system", "be brief"), message("user", "hi"))
    work = Prompted("precise", "", "r", 1.0, prompt=Prompt("chat", "bing-precise", messages, options={"seed": 1}))
    assert plain_question(work) == Chat("precise", "hi", "r", 1.0, "be brief")


def test_instructions_of_a_response_are_apart_from_its_messages_of_the_system() -> None:
    prompt = Prompt("responses", "bing-precise", (message("system", "be brief"), message("system", "a poem")))
    work = Prompted("precise", "", prompt=prompt, echo={"instructions": "be brief"})
    for text in (fill_text(work), plain_question(work)):
        assert isinstance(text, Chat)
        assert (text.instructions, text.question) == ("be brief", "a poem")
    alone = fill_text(Prompted("precise", "", prompt=prompt))
    assert isinstance(alone, Chat)
    assert (alone.instructions, alone.question) == ("", "be brief\n\na poem")


def test_earlier_thoughts_are_no_part_of_a_plain_question() -> None:
    answer = Message("assistant", (Thought("hm"), Text("1")))
    prompt = Prompt("responses", "bing-precise", (message("user", "one"), answer, message("user", "two")))
    plain = plain_question(Prompted("precise", "", prompt=prompt))
    assert plain is not None
    assert plain.history == (HistoryMessage("user", "one"), HistoryMessage("assistant", "1"))


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt("chat", "m", (message("user", "hi"),)),
        Prompt("chat", "bing-precise", (message("user", "hi"),), tools=(Tool("function", "add"),)),
        Prompt("chat", "bing-precise", (message("user", "hi"),), format=AnswerFormat("json")),
        Prompt("chat", "bing-precise", (Message("user", (Picture("https://example.com/a.png"),)),)),
        Prompt("chat", "bing-precise", (Message("assistant", calls=(ToolCall("c1", "add", "{}"),)),)),
    ],
)
def test_any_other_prompt_is_no_plain_question(prompt: Prompt) -> None:
    assert plain_question(Prompted("precise", "", prompt=prompt)) is None


LONG = "a" * 10_000


@pytest.mark.parametrize(
    ("messages", "joined"),
    [
        ((message("system", LONG), message("user", LONG), message("assistant", LONG), message("user", LONG)), 0),
        ((Message("user", (Text(LONG), Picture("data:,"))),), sys.getsizeof(f"{LONG}\n\n[picture]")),
        ((Message("user", (Text("😀"), Text(LONG))),), sys.getsizeof(f"😀\n\n{LONG}")),
        ((message("user", LONG), message("user", LONG)), sys.getsizeof(f"{LONG}\n\n{LONG}")),
        ((message("system", LONG), message("system", LONG), message("user", "q")), 20_000),
        ((Message("assistant", (Refusal(LONG),)), message("user", "q")), 0),
    ],
)
def test_texts_that_are_joined_take_memory_beside_their_parts(messages: tuple[Message, ...], joined: int) -> None:
    work = Prompted("balanced", "", prompt=Prompt("chat", "m", messages))
    assert joined <= joined_bytes(work) < joined + 200
    assert joined_bytes(Chat("balanced", LONG)) == 0
