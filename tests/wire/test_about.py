"""What is kept of work with its answer is small, and enough to recognise the same prompt."""

from collections.abc import Iterator

import msgspec
import pytest

from wire.about import (
    About,
    decode_about,
    describe,
    digest_prompt,
    encode_about,
    weigh,
    weigh_blocks,
    weigh_message,
    weigh_messages,
    weigh_prompt,
)
from wire.blocks import Block
from wire.errors import BadMessageError
from wire.messages import Chat, HistoryMessage, Image, Prompted
from wire.prompt import AnswerFormat, Message, Opaque, Picture, Prompt, Refusal, Text, Thought, Tool, ToolCall
from wire.threads import LARGE

PROMPT = Prompt(
    "chat",
    "gemini",
    (
        Message("system", (Text("be brief"),)),
        Message("developer", (Text("be kind"),)),
        Message("user", (Text("你好"), Picture("https://e.org/a.png"))),
        Message("assistant", calls=(ToolCall("c1", "add", "{}"),)),
        Message("tool", (Text("2"),), call_id="c1"),
    ),
    options={"stop": ["x"]},
)
PROMPTED = Prompted("balanced", "", prompt=PROMPT, include_usage=True, functions=True)
WORK = Chat("creative", "why?", instructions="b" * 9000, history=(HistoryMessage("user", "你好"),))


def test_it_is_small_whatever_was_asked() -> None:
    about = describe(Chat("balanced", "x" * 1_000_000, instructions="y" * 1_000_000))
    assert len(encode_about(about)) < 5000
    assert about.prompt_bytes == 2_000_000


def test_it_survives_its_way_through_redis() -> None:
    for work in (WORK, PROMPTED, Image("cat")):
        assert decode_about(encode_about(describe(work))) == describe(work)
    assert describe(Image("cat")) == About("image")


def test_only_the_same_prompt_has_its_digest() -> None:
    same = digest_prompt(WORK.instructions, WORK.history, WORK.question)
    others = [
        digest_prompt("", WORK.history, WORK.question),
        digest_prompt(WORK.instructions, (), WORK.question),
        digest_prompt(WORK.instructions, (HistoryMessage("user", "你好", "bob"),), WORK.question),
        digest_prompt(WORK.instructions, WORK.history, "why"),
    ]
    assert describe(WORK).digest == same
    assert len({same, *others}) == 5


def test_of_a_prompt_it_has_what_its_answer_looks_like() -> None:
    about = describe(PROMPTED)
    assert (about.dialect, about.model, about.stops, about.include_usage, about.functions) == (
        ("chat", "gemini", ("x",), True, True)
    )
    assert about.instructions == "be brief\n\nbe kind"


def test_the_size_of_a_prompt_counts_calls_tools_and_pictures() -> None:
    texts = len("be briefbe kindadd{}2") + len("你好".encode())
    picture = describe(PROMPTED).prompt_bytes - texts
    assert picture > 1000
    inline = Message("user", (Picture("data:image/png;base64," + "A" * 1_000_000),))
    tools = (Tool("function", "add", parameters={"type": "x" * 5000}),)
    assert describe(Prompted("balanced", "", prompt=Prompt("chat", "m", (inline,)))).prompt_bytes == picture
    assert describe(Prompted("balanced", "", prompt=Prompt("chat", "m", (), tools))).prompt_bytes > 5000


def test_a_repeat_of_a_prompt_has_its_digest_whatever_the_ids() -> None:
    called = msgspec.structs.replace(PROMPT.messages[3], calls=(ToolCall("other", "add", " {}"),))
    result = msgspec.structs.replace(PROMPT.messages[4], call_id="other")
    same = msgspec.structs.replace(PROMPT, messages=(*PROMPT.messages[:3], called, result))
    other = msgspec.structs.replace(PROMPT, messages=PROMPT.messages[:3])
    digests = [describe(Prompted("balanced", "", prompt=prompt)).digest for prompt in (PROMPT, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_half_a_character_and_what_is_no_json_are_no_messages() -> None:
    for call in (
        lambda: describe(Chat("balanced", "\ud83d")),
        lambda: digest_prompt("", (), "\ud83d"),
        lambda: decode_about(b"{"),
    ):
        with pytest.raises(BadMessageError):
            call()


class Endless(list[Message]):
    """Messages of which nobody may look at all."""

    def __iter__(self) -> Iterator[Message]:
        for _ in range(2000):
            yield Message("user", (Text("x"),))
        pytest.fail("it looks at all of them")


def test_no_more_is_weighed_than_shows_that_it_is_large() -> None:
    assert weigh_messages(Endless()) > LARGE
    values: list[object] = [[1] * 100] * 1000
    message = Message("user", (Opaque({"type": "file", "x": values}),))
    assert weigh_messages([message]) < LARGE + 1000 < weigh_message(message)


def test_of_an_answer_no_more_is_weighed_than_shows_that_it_is_large() -> None:
    def blocks(many: Block) -> Iterator[Block]:
        yield many
        pytest.fail("it looks at all of them")

    assert weigh_blocks(blocks(Block("text", "x" * LARGE))) > LARGE
    values = [[1] * 100] * 100_000
    assert LARGE < weigh_blocks(blocks(Block("text", extra={"logprobs": {"content": values}}))) < 2 * LARGE
    assert weigh_blocks([Block("text", "x" * 1000), Block("opaque", extra={"x": "y" * 1000})]) < 3000


def test_a_message_weighs_what_its_parts_and_the_values_in_them_do() -> None:
    light, heavy = ({"type": "file", "data": ["x" * length] * 2} for length in (1, 1000))
    for part, more in (
        ((Text("x"), Text("x" * 1000)), 999),
        ((Opaque(light), Opaque(heavy)), 1998),
        ((Thought("", light), Thought("", heavy)), 1998),
        ((Text("", light), Text("", heavy)), 1998),
        ((Picture("", "", light), Picture("", "", heavy)), 1998),
        ((Refusal("", {"x": 1}), Refusal("", {"x" * 10: 1})), 9),
    ):
        small, large = (weigh_message(Message("user", (one,))) for one in part)
        assert large - small == more


HEAVY = {"foo": ["x" * LARGE]}


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt("chat", "m", (Message("assistant", extra=HEAVY),)),
        Prompt("chat", "m", (Message("assistant", calls=(ToolCall("c", "f", "{}", extra=HEAVY),)),)),
        Prompt("chat", "m", (), (Tool("function", "f", parameters=HEAVY),)),
        Prompt("chat", "m", (), (Tool("web", extra=HEAVY),)),
        Prompt("chat", "m", (), (Tool("function", "f", description="x" * LARGE),)),
        Prompt("chat", "m", (), (Tool("function", "f"),) * 100),
        Prompt("chat", "m", (), format=AnswerFormat("schema", schema=HEAVY)),
        Prompt("chat", "m", (), options=HEAVY),
        Prompt("chat", "m", (), extra=HEAVY),
    ],
)
def test_a_prompt_is_large_wherever_it_has_what_makes_it_so(prompt: Prompt) -> None:
    assert weigh_prompt(prompt) >= LARGE
    assert weigh(Prompted("balanced", "", prompt=prompt)) >= LARGE
