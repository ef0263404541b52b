"""An answer as it goes out: pieces join to the whole, stops and sources included."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.openai.answer_assembler import AnswerAssembler, to_message
from gateway.openai.growing_blocks import GrowingBlocks
from tests.support.gateway.scripted_answers import ScriptedAnswer, scripted_answers
from wire.blocks import Block, BlockKind, Piece, add_piece, join_text
from wire.messages import Delta, Event, Final, Replace, Source, Usage
from wire.prompt import Message, Refusal, Text, ToolCall

SOURCE = Source("T", "https://e.org")


def add(answer: AnswerAssembler, *events: Delta | Replace | Final) -> str:
    """Return the text that is sent of some events."""
    return "".join(join_text(answer.add(event)) for event in events)


@given(st.lists(st.text("ab ", max_size=5)), st.text("ab ", max_size=5), st.booleans())
def test_joined_deltas_are_the_whole_answer(pieces: list[str], rest: str, sources: bool) -> None:
    answer = AnswerAssembler(list_sources=sources)
    joined = add(answer, *map(Delta, pieces))
    text = "".join(pieces) + rest
    joined += add(answer, Final(text, urls=(SOURCE,)))
    listed = "\n\n1. T: https://e.org" if sources else ""
    assert joined == join_text(answer.sent) == answer.text == text + listed
    assert answer.finished


@given(st.lists(st.text("ab", max_size=5)), st.lists(st.text("ab", max_size=5)), st.text("ab", max_size=5))
def test_what_the_upstream_replaced_is_sent_before_the_whole(before: list[str], after: list[str], new: str) -> None:
    answer = AnswerAssembler()
    joined = add(answer, *map(Delta, before), Replace(new), *map(Delta, after), Final(new + "".join(after)))
    assert answer.text == new + "".join(after)
    assert joined == join_text(answer.sent) == "".join(before) + answer.text


def test_an_end_that_is_another_text_is_sent_as_a_whole() -> None:
    answer = AnswerAssembler()
    assert [add(answer, Delta("Searching")), add(answer, Final("The sky"))] == ["Searching", "The sky"]
    assert (join_text(answer.sent), answer.text) == ("SearchingThe sky", "The sky")


def test_a_stop_sequence_ends_it_without_its_sources() -> None:
    answer = AnswerAssembler(["STOP"], list_sources=True)
    assert [add(answer, Delta("a ST")), answer.finished] == ["a ", False]
    assert [add(answer, Delta("OP b")), answer.finished, answer.cut] == ["", True, True]
    assert answer.locate_citations(answer.text) == []


def test_what_was_held_back_belongs_to_the_text_that_was_replaced() -> None:
    answer = AnswerAssembler(["STOP"])
    assert add(answer, Delta("a ST"), Replace("OP"), Final("OPS")) == "a OPS"
    assert not answer.cut


def test_a_stop_sequence_that_only_the_end_completes_still_counts() -> None:
    answer = AnswerAssembler(["STOP"])
    answer.add(Delta("a STO"))
    assert add(answer, Final("a STOP b", urls=(SOURCE,))) == ""
    assert (answer.text, answer.cut) == ("a ", True)


# Blocks


def call(number: int, text: str = "", id_: str = "", name: str = "", **rest: Any) -> Piece:
    return Piece(number, "tool_call", text, id_, name, **rest)


CALLED = (Block("text", "Let me see."), Block("tool_call", '{"a": 1}', "c1", "add"))


@given(scripted_answers())
def test_pieces_join_to_the_blocks_of_the_end(script: ScriptedAnswer) -> None:
    answer, joined = AnswerAssembler(), list[Block]()
    for event in script.events:
        for piece in answer.add(event):
            add_piece(joined, piece)
    assert tuple(joined) == tuple(answer.blocks) == tuple(answer.sent) == script.blocks
    assert not answer.broken


@given(scripted_answers(), st.sampled_from(["a", "ab", "aa", "b "]))
def test_text_ends_before_a_stop_sequence_in_any_block(script: ScriptedAnswer, stop: str) -> None:
    answer, joined = AnswerAssembler([stop]), list[Block]()
    for event in script.events:
        for piece in answer.add(event):
            add_piece(joined, piece)
        if answer.finished:
            break
    expected: list[Block] = []
    for block in script.blocks:
        place = block.text.find(stop) if block.kind == "text" else -1
        expected.append(block if place < 0 else msgspec.structs.replace(block, text=block.text[:place]))
        if place >= 0:
            break
    assert answer.cut == any(stop in block.text for block in script.blocks if block.kind == "text")
    assert [without_extra(block) for block in joined] == [without_extra(block) for block in expected]


def without_extra(block: Block) -> Block:
    return msgspec.structs.replace(block, extra={})


def test_the_end_adds_what_is_missing() -> None:
    answer = AnswerAssembler()
    answer.add(Delta("Let", model="m"))
    blocks = (*CALLED, Block("opaque", extra={"x": 1}))
    new = answer.add(
        Final("Let me see.", blocks=blocks, ended="tool_calls", model="m", usage=Usage(1, 2), extra={"y": 2})
    )
    assert new == [
        Piece(0, "text", " me see."),
        call(1, '{"a": 1}', "c1", "add"),
        Piece(2, "opaque", extra={"x": 1}),
    ]
    assert (answer.finish, answer.model, answer.usage, answer.extra) == ("tool_calls", "m", Usage(1, 2), {"y": 2})


BEGUN: Sequence[Delta] = (Delta("Let me see.", pieces=(Piece(0, "text", "Let me see."), call(1, '{"a"', "c1", "add"))),)


@pytest.mark.parametrize(
    "end",
    [
        Final("Let me see.", stopped=True),
        Final("Let me see.", finish="length"),
        Final("Let me see.", finish="length", blocks=CALLED[:1]),
    ],
)
def test_an_end_within_a_call_breaks_it_and_the_call_is_none_of_the_answer(end: Final) -> None:
    answer = AnswerAssembler()
    add(answer, *BEGUN, end)
    assert (answer.broken, answer.finished, answer.blocks) == (True, True, list(CALLED[:1]))


def test_an_answer_that_is_stopped_behind_a_call_is_not_broken() -> None:
    answer = AnswerAssembler()
    events: list[Any] = [*BEGUN, Delta("", pieces=(call(1, ": 1}"), Piece(2, "reasoning", "hm")))]
    for event in (*events, Final("Let me see.", stopped=True)):
        answer.add(event)
    assert (answer.broken, answer.blocks) == (False, [*CALLED, Block("reasoning", "hm")])


@pytest.mark.parametrize("extra", [{}, {"logprobs": {"content": [1]}}])
@pytest.mark.parametrize("stops", [(), ("STOP",)])
@pytest.mark.parametrize("kind", ["text", "reasoning", "tool_call"])
def test_a_block_that_grows_is_copied_only_to_be_read(
    kind: BlockKind, stops: Sequence[str], extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[object] = []
    read: Callable[[GrowingBlocks], list[Block]] = GrowingBlocks.__dict__["blocks"].fget

    def read_counted(growing: GrowingBlocks) -> list[Block]:
        copied.append(growing)
        return read(growing)

    monkeypatch.setattr(GrowingBlocks, "blocks", property(read_counted))
    answer = AnswerAssembler(stops)
    answer.add(Delta("", pieces=(Piece(0, kind, "a", extra=extra),)))
    copied.clear()
    pieces = [piece for _ in range(99) for piece in answer.add(Delta("", pieces=(Piece(0, kind, "a", extra=extra),)))]
    assert not any(answer.is_custom(piece.block) for piece in pieces)
    assert copied == []
    assert [block.text for block in answer.sent] == ["a" * 100] == ["a" + "".join(piece.text for piece in pieces)]
    answer.add(Delta("", pieces=(Piece(0, kind, "b", extra={"c": 1}), Piece(1, "opaque", extra={"d": 1}))))
    assert [(block.text, block.extra) for block in answer.blocks] == [
        ("a" * 100 + "b", {"c": 1} | ({"logprobs": {"content": [1] * 100}} if extra else {})),
        ("", {"d": 1}),
    ]


def test_an_end_that_contradicts_the_blocks_is_an_error() -> None:
    answer = AnswerAssembler()
    answer.add(Delta("", pieces=(Piece(0, "reasoning", "hm"),)))
    with pytest.raises(ValueError, match="doesn't continue"):
        answer.add(Final("a", blocks=(Block("reasoning", "other"), Block("text", "a"))))


def test_sources_are_listed_behind_all_blocks() -> None:
    answer = AnswerAssembler(list_sources=True)
    events: list[Event] = [Delta("", pieces=(Piece(0, "reasoning", "hm"),))]
    events.append(Final("", urls=(SOURCE,), blocks=(Block("reasoning", "hm"),)))
    for event in events:
        assert isinstance(event, Delta | Final)
        answer.add(event)
    assert answer.text == "\n\n1. T: https://e.org"


def test_a_client_sends_an_answer_back_as_one_message() -> None:
    custom = Block("tool_call", "ls", "c2", "run", custom=True)
    blocks = [Block("reasoning", "hm"), *CALLED, Block("text", " So."), custom]
    calls = (ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "run", "ls", custom=True))
    assert to_message(blocks) == Message("assistant", (Text("Let me see. So."),), calls=calls)
    assert to_message(blocks, functions=True).calls == calls[:1]
    assert to_message([Block("refusal", "no")]) == Message("assistant", (Refusal("no"),))
