"""Items of earlier responses by their ids."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.openai.errors import InvalidRequestError
from gateway.openai.responses.item_references import (
    MAX_ANSWERS,
    MAX_CHARACTERS,
    find_thought,
    is_reference,
    parse_item_id,
    read_answers,
    resolve_reference,
)
from wire.blocks import Block
from wire.prompt import Message, Part, Refusal, Text, Thought, ToolCall

pytestmark = pytest.mark.anyio

ANSWER = f"s0-{'a' * 32}"
EMPTY = f"s0-{'b' * 32}"
BLOCKS = [
    Block("reasoning", "hm", extra={"signature": "s"}),
    Block("text", "one"),
    Block("tool_call", "{}", "c1", "add", extra={"thought_signature": "t"}),
    Block("tool_call", "ls", "c2", "run", custom=True),
    Block("opaque", extra={"x": 1}),
    Block("refusal", "no"),
]
KEPT = {ANSWER: BLOCKS, EMPTY: []}
THOUGHT = Thought("hm", {"signature": "s"})
ADD = ToolCall("c1", "add", "{}", extra={"thought_signature": "t"})
RUN = ToolCall("c2", "run", "ls", custom=True)


def answer(*parts: Part, calls: Sequence[ToolCall] = ()) -> Message:
    return Message("assistant", parts, calls=tuple(calls))


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        (f"rs_{ANSWER}_0", (answer(THOUGHT),)),
        (f"msg_{ANSWER}_1", (answer(Text("one")),)),
        (f"fc_{ANSWER}_2", (answer(calls=[ADD]),)),
        (f"ctc_{ANSWER}_3", (answer(calls=[RUN]),)),
        (f"msg_{ANSWER}_5", (answer(Refusal("no")),)),
        (f"msg_{ANSWER}", (answer(Text("one"), Refusal("no")),)),
        (f"fc_{ANSWER}", (answer(calls=[ADD, RUN]),)),
        (f"resp_{ANSWER}", (answer(THOUGHT, Text("one"), calls=[ADD, RUN]), answer(Refusal("no")))),
        (f"chatcmpl-{ANSWER}", (answer(THOUGHT, Text("one"), calls=[ADD, RUN]), answer(Refusal("no")))),
    ],
)
def test_a_reference_to_an_item_of_ours_is_what_was_answered(name: str, messages: Any) -> None:
    assert resolve_reference({"type": "item_reference", "id": name}, "input[0]", KEPT) == messages


@pytest.mark.parametrize(
    "name",
    [
        "msg_gone",
        f"msg_{EMPTY}",
        f"msg_{ANSWER}_0",
        f"msg_{ANSWER}_6",
        f"msg_{ANSWER}_",
        f"msg_{ANSWER}_-1",
        f"fc_{EMPTY}_0",
        "fc_1",
        f"ws_{ANSWER}",
        ANSWER,
        "chatcmpl-gone",
        "resp_",
        "",
    ],
)
def test_a_reference_that_is_not_ours_is_an_error_with_its_name(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^Item with id '{name}' not found") as caught:
        resolve_reference({"id": name}, "input[1]", KEPT)
    fault = caught.value.fault
    assert (fault.status, fault.code, fault.param) == (400, "item_not_found", "input[1].id")


@pytest.mark.parametrize("name", ["rs_1", f"rs_{EMPTY}_0", f"rs_s0-{'c' * 32}_0"])
def test_a_thought_that_is_not_known_is_left_out(name: str) -> None:
    assert resolve_reference({"id": name}, "input[0]", KEPT) == ()
    assert find_thought(name, KEPT) is None


def test_only_the_id_of_a_thought_finds_it() -> None:
    assert find_thought(f"rs_{ANSWER}_0", KEPT) == THOUGHT
    for name in (f"msg_{ANSWER}_1", f"rs_{ANSWER}_1", None, 5):
        assert find_thought(name, KEPT) is None


@pytest.mark.parametrize(
    ("item", "refers"),
    [
        ({"id": "msg_1"}, True),
        ({"type": None, "id": "msg_1"}, True),
        ({"type": "item_reference", "id": 5}, True),
        ({"type": "message", "id": "msg_1"}, False),
        ({"id": "msg_1", "role": "user"}, False),
        ({}, False),
    ],
)
def test_an_item_with_nothing_but_an_id_is_a_reference(item: Any, refers: bool) -> None:
    assert is_reference(item) == refers


def test_the_number_of_a_block_is_short_enough_to_be_one() -> None:
    assert parse_item_id(f"msg_{ANSWER}_{'9' * 10}") is None


async def test_each_answer_that_is_referred_to_is_read_once() -> None:
    asked: list[str] = []

    async def read(name: str) -> Sequence[Block] | None:
        asked.append(name)
        return KEPT.get(name)

    gone = f"s0-{'c' * 32}"
    items = [
        {"id": f"msg_{ANSWER}_1"},
        {"type": "item_reference", "id": f"fc_{ANSWER}_2"},
        {"type": "reasoning", "id": f"rs_{EMPTY}_0"},
        {"type": "reasoning", "id": f"rs_{gone}_0", "encrypted_content": "x"},
        {"id": f"resp_{gone}"},
        {"id": "msg_1"},
        {"type": "message", "id": f"msg_{gone}_0"},
        "hi",
    ]
    assert await read_answers(items, read) == KEPT
    assert asked == [ANSWER, EMPTY, gone]
    others: Any = ("hi", None, {})
    for other in others:
        assert await read_answers(other, read) == {}


async def test_an_input_refers_to_so_many_answers_at_most() -> None:
    async def read(_: str) -> None:
        return None

    items = [{"id": f"msg_s0-{number:032x}"} for number in range(MAX_ANSWERS + 1)]
    assert await read_answers(items[1:], read) == {}
    with pytest.raises(InvalidRequestError) as caught:
        await read_answers(items, read)
    assert caught.value.fault.param == "input"


async def test_no_more_answers_are_read_than_an_input_may_hold() -> None:
    asked = []

    async def read(name: str) -> Sequence[Block]:
        asked.append(name)
        return [Block("text", "x" * (MAX_CHARACTERS // 2))]

    items = [{"id": f"msg_s0-{number:032x}"} for number in range(8)]
    assert len(await read_answers(items[:2], read)) == 2
    with pytest.raises(InvalidRequestError) as caught:
        await read_answers(items, read)
    assert (caught.value.fault.param, caught.value.fault.code) == ("input", "context_length_exceeded")
    assert len(asked) == 2 + 3
