"""Thoughts and other blocks of servers of Anthropic's API, in completions."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.chunks import CompletionChunks, encode_completion
from gateway.openai.content_fields import content_fields
from gateway.openai.service import SubmittedQuestion
from wire.about import About
from wire.blocks import Block, Piece, fold
from wire.messages import Delta, Event, Final

SIGNED = Block("reasoning", "hm", extra={"signature": "s"})
HIDDEN = Block("reasoning", "", extra={"data": "d"})
SEARCH = Block("opaque", extra={"type": "server_tool_use", "id": "x", "name": "web_search", "input": {}})


async def finish(*_: object) -> None:
    """The end of a question."""


def question() -> SubmittedQuestion:
    about = About("chat", dialect="chat", model="m")
    return cast(SubmittedQuestion, SimpleNamespace(answer="s0-1", accepted=5, about=about, finish=finish))


def whole(*blocks: Block) -> dict[str, Any]:
    answer = AnswerAssembler()
    answer.add(Final("".join(block.text for block in blocks if block.kind == "text"), blocks=blocks))
    message: dict[str, Any] = json.loads(encode_completion(question(), answer))["choices"][0]["message"]
    return message


def streamed(*blocks: Block, size: int = 1) -> dict[str, Any]:
    """The deltas of an answer, joined; fields come at their blocks' ends."""
    pieces = [piece for number, block in enumerate(blocks) for piece in cut(number, block, size)]
    presenter = CompletionChunks(question(), AnswerAssembler())
    end = Final("".join(block.text for block in blocks if block.kind == "text"), blocks=blocks)

    async def render() -> list[bytes]:
        deltas = (Delta(piece.text if piece.kind == "text" else "", pieces=(piece,)) for piece in pieces)
        events: list[Event] = [*deltas, end]
        return [frame.data for event in events for frame in await presenter.render(event)]

    message: dict[str, Any] = {}
    for data in asyncio.run(render())[:-1]:
        for choice in json.loads(data)["choices"]:
            message = fold(message, choice["delta"])
    return message


def cut(number: int, block: Block, size: int) -> list[Piece]:
    texts = [block.text[start : start + size] for start in range(0, len(block.text), size)]
    return [
        *(Piece(number, block.kind, part) for part in texts),
        *([Piece(number, block.kind, extra=block.extra)] if block.extra else []),
    ]


def test_thoughts_that_their_server_knows_again_are_blocks_beside_the_text() -> None:
    message = whole(SIGNED, HIDDEN, Block("text", "so"))
    assert message["thinking_blocks"] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
    ]
    assert (message["reasoning_content"], message["content"]) == ("hm", "so")
    assert message.keys().isdisjoint({"signature", "data"})


def test_what_only_the_server_understands_is_a_part_of_its_own() -> None:
    assert whole(SEARCH, SEARCH, Block("text", "so"))["content_parts"] == [SEARCH.extra, SEARCH.extra]


@pytest.mark.parametrize(
    "block",
    [
        Block("reasoning", "hm", extra={"reasoning_details": [{"type": "reasoning.text", "signature": "s"}]}),
        Block("text", "so", extra={"signature": "s", "data": "d"}),
        Block("opaque", extra={"content_parts": [{"type": "image"}]}),
    ],
)
def test_the_fields_of_other_servers_are_as_they_sent_them(block: Block) -> None:
    assert content_fields(block, block.text) is block.extra


BLOCKS = st.lists(
    st.one_of(
        st.builds(lambda words: Block("reasoning", words, extra={"signature": "s"}), st.text("abc", max_size=5)),
        st.sampled_from([HIDDEN, SEARCH, Block("reasoning", "x"), Block("text", "so"), Block("text", "and")]),
    ),
    max_size=5,
)


@given(BLOCKS, st.integers(1, 3))
def test_a_stream_adds_up_to_the_whole_message(blocks: list[Block], size: int) -> None:
    message, joined = whole(*blocks), streamed(*blocks, size=size)
    for name in ("thinking_blocks", "content_parts", "reasoning_content"):
        assert joined.get(name) == message.get(name)
    assert joined.get("content", "") == (message["content"] or "")
