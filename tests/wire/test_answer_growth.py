"""An answer as it grows by its events."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.answer_growth import AnswerGrowth
from wire.blocks import Block, Piece
from wire.messages import Delta, Event, Failed, Final, Replace, apply_event, apply_to_blocks
from wire.reasons import Reason

TEXT = st.text(max_size=5)
EXTRA: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.fixed_dictionaries(
    {"logprobs": st.lists(st.integers(0, 9), min_size=1, max_size=2)}
)


def later(numbers: list[int]) -> list[int]:
    """Return numbers that don't fall, and rise by one at most, from 0 on."""
    reached, risen = 0, []
    for number in numbers:
        reached += number
        risen.append(reached)
    return risen


PIECES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["text", "reasoning", "tool_call"]), TEXT, EXTRA), max_size=12
).map(
    lambda drawn: [
        Piece(number, kind, text, "c" if kind == "tool_call" else "", extra=extra)
        for number, (_, kind, text, extra) in zip(later([step for step, *_ in drawn]), drawn, strict=True)
    ]
)
DELTAS = st.builds(Delta, TEXT) | PIECES.map(lambda pieces: Delta("", pieces=tuple(pieces)))
OTHERS: st.SearchStrategy[Event] = (
    st.builds(Replace, TEXT)
    | st.builds(Final, TEXT, stopped=st.booleans())
    | st.just(Final("", blocks=(Block("reasoning", "hm"), Block("text", "a"))))
    | st.just(Failed(Reason.INTERNAL))
)


@given(st.lists(DELTAS | OTHERS, max_size=12))
def test_it_is_what_its_events_make_of_it_one_by_one(events: list[Event]) -> None:
    grown, text, blocks = AnswerGrowth(), "", list[Block]()
    for event in events:
        try:
            apply_to_blocks(blocks, event)
        except ValueError:
            with pytest.raises(ValueError, match="a piece of"):
                grown.add(event)
            return
        text = apply_event(text, event)
        grown.add(event)
    assert (grown.text, grown.blocks) == (text, tuple(blocks))


def test_reading_it_in_between_changes_nothing() -> None:
    grown = AnswerGrowth()
    for seen in ("a", "ab", "abc"):
        grown.add(Delta(seen[-1]))
        assert (grown.text, grown.blocks) == (seen, (Block("text", seen),))


@pytest.mark.parametrize(
    "event",
    [Delta("x"), Delta("", pieces=(Piece(0, "reasoning", "x", extra={"logprobs": [{"token": "x"}]}),))],
)
def test_a_text_is_copied_when_it_is_read_and_not_for_each_event(event: Delta, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Block] = []

    def make(block: Block, **fields: Any) -> Block:
        made.append(replace(block, **fields))
        return made[-1]

    replace = msgspec.structs.replace
    monkeypatch.setattr(msgspec.structs, "replace", make)
    grown = AnswerGrowth()
    for _ in range(1000):
        grown.add(event)
    assert not made
    assert grown.blocks == tuple(made)
    assert made[0].text == "x" * 1000
