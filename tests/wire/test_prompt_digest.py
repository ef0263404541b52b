"""A request that is sent again is the same one, whatever form its client gives it the second time."""

from typing import Any

import msgspec
import pytest

from wire.messages import Chat, HistoryMessage, Image, Prompted, Work
from wire.prompt import AnswerFormat, Message, Opaque, Part, Picture, Prompt, Refusal, Text, Thought, Tool, ToolCall
from wire.prompt_digest import canonical_prompt, canonical_work


def prompted(*messages: Message, **fields: Any) -> Prompted:
    return Prompted("balanced", "", prompt=Prompt("chat", "m", messages, **fields))


def called(id_: str, arguments: str, **extra: str) -> Message:
    return Message("assistant", calls=(ToolCall(id_, "add", arguments, extra=extra),), extra=extra)


@pytest.mark.parametrize(
    ("work", "encoded"),
    [
        (
            Chat("precise", "hi", "r", 5.0, "be brief", (HistoryMessage("user", "one"),), trace="t"),
            b'{"type":"chat","style":"precise","question":"hi","request":"","wait":0.0,"instructions":"be brief",'
            b'"history":[{"role":"user","text":"one"}],"trace":"","v":1}',
        ),
        (
            Image("a cat", "r", 5.0, "t"),
            b'{"type":"image","keyword":"a cat","request":"","wait":0.0,"trace":"","v":1}',
        ),
    ],
)
def test_a_question_in_text_is_the_same_for_version_0_1(work: Work, encoded: bytes) -> None:
    assert canonical_work(work) == encoded


def test_options_of_a_style_are_ignored_as_version_0_1_did() -> None:
    messages = (Message("system", (Text("be brief"),)), Message("user", (Text("hi"),)))
    prompt = Prompt("chat", "bing-precise", messages, options={"temperature": 1}, extra={"new": 1})
    text = Chat("precise", "hi", instructions="be brief")
    assert canonical_work(Prompted("precise", "", prompt=prompt)) == canonical_work(text)
    with_tools = msgspec.structs.replace(prompt, tools=(Tool("function", "add"),))
    assert canonical_work(Prompted("precise", "", prompt=with_tools)) != canonical_work(text)


def test_what_text_does_not_say_makes_another_question() -> None:
    plain, named = Chat("balanced", "hi"), HistoryMessage("user", "hi", "Ann")
    others = [
        msgspec.structs.replace(plain, asked=(named,)),
        msgspec.structs.replace(plain, leading=(named,)),
        msgspec.structs.replace(plain, history=(named,)),
        prompted(Message("user", (Text("hi"),))),
    ]
    assert len({canonical_work(work) for work in (plain, *others)}) == 5


def test_ids_and_what_came_with_an_answer_do_not_count() -> None:
    first = called("c1", '{"a": 1, "b": 2}', reasoning_content="hm"), Message("tool", (Text("3"),), call_id="c1")
    again = called("x", '{"b":2,"a":1}'), Message("tool", (Text("3", {"cache_control": {}}),), call_id="x")
    assert canonical_work(prompted(*first)) == canonical_work(prompted(*again, ignored=("seed",), session="s"))


@pytest.mark.parametrize(
    "other",
    [
        prompted(called("c1", '{"a":2}')),
        prompted(called("c1", "no JSON")),
        prompted(called("c1", '{"a":1}'), Message("tool", (Text("3"),))),
        prompted(called("c1", '{"a":1}'), tools=(Tool("function", "add"),)),
        prompted(called("c1", '{"a":1}'), format=AnswerFormat("json")),
        prompted(called("c1", '{"a":1}'), options={"seed": 1}),
        prompted(called("c1", '{"a":1}'), extra={"new": 1}),
    ],
)
def test_what_was_said_and_asked_for_counts(other: Prompted) -> None:
    assert canonical_work(other) != canonical_work(prompted(called("c1", '{"a":1}')))


def test_parts_count_by_their_content() -> None:
    parts: list[Part] = [
        Text("a"),
        Refusal("a"),
        Picture("a"),
        Picture("b"),
        Opaque({"type": "file"}),
        Opaque({"type": "audio"}),
    ]
    assert len({canonical_prompt(prompted(Message("user", (part,))).prompt) for part in parts}) == 6


def test_a_large_picture_is_not_part_of_the_bytes() -> None:
    work = prompted(Message("user", (Picture("data:image/png;base64," + "A" * 100_000),)))
    assert len(canonical_work(work)) < 1000


def test_thoughts_are_no_part_of_what_was_said() -> None:
    one = prompted(Message("assistant", (Thought("hm", {"signature": "s"}), Text("a"))))
    assert canonical_work(one) == canonical_work(prompted(Message("assistant", (Text("a"),))))


def test_large_arguments_of_hardly_anything_but_values_count_as_they_came() -> None:
    values, text = '{"b":[' + "[], " * 50_000 + '[]],"a":1}', '{"b": "' + "x" * 100_000 + '","a":1}'
    for arguments, other, same in (
        (values, values.replace(" ", ""), False),
        (text, text.replace(" ", ""), True),
        (values[:1000] + "]}", (values[:1000] + "]}").replace(" ", ""), True),
    ):
        assert (
            canonical_work(prompted(called("c", arguments))) == canonical_work(prompted(called("c", other)))
        ) is same
