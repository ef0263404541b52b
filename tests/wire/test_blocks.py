from functools import reduce
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.blocks import Block, Piece, add_piece, add_text, extend, fold, fold_all, is_text, join_pieces, join_text


def grown(*pieces: Piece) -> list[Block]:
    blocks: list[Block] = []
    for piece in pieces:
        add_piece(blocks, piece)
    return blocks


def test_a_block_grows_by_its_pieces() -> None:
    call = Piece(1, "tool_call", '{"a"', id="c1", name="add", extra={"index": 0})
    assert grown(Piece(0, "text", "one"), Piece(0, "text", " two"), call, Piece(1, "tool_call", ":1}")) == [
        Block("text", "one two"),
        Block("tool_call", '{"a":1}', id="c1", name="add", extra={"index": 0}),
    ]


@pytest.mark.parametrize(
    "piece", [Piece(0, "text", "more"), Piece(3, "text", "ahead"), Piece(1, "text", "another kind")]
)
def test_a_block_that_has_been_passed_does_not_grow(piece: Piece) -> None:
    blocks = grown(Piece(0, "text", "one"), Piece(1, "reasoning", "two"))
    with pytest.raises(ValueError, match=f"for block {piece.block}"):
        add_piece(blocks, piece)


def test_text_without_a_piece_continues_a_text_or_begins_one() -> None:
    blocks: list[Block] = []
    add_text(blocks, "one")
    add_text(blocks, " two")
    add_piece(blocks, Piece(1, "reasoning", "hm"))
    add_text(blocks, "three")
    assert blocks == [Block("text", "one two"), Block("reasoning", "hm"), Block("text", "three")]
    assert join_text(blocks) == "one twothree"


def test_only_one_plain_text_is_said_by_text() -> None:
    assert is_text([])
    assert is_text([Block("text", "one")])
    assert not is_text([Block("text", "one", extra={"a": 1})])
    assert not is_text([Block("text", "one"), Block("text", "two")])
    assert not is_text([Block("reasoning", "one")])


def test_fields_that_came_in_parts_are_joined_by_their_types() -> None:
    before = {"text": "a", "list": [1], "object": {"text": "a", "n": 1}, "n": 1}
    new = {"text": "b", "list": [2], "object": {"text": "b", "n": 2}, "n": None, "new": "c"}
    joined = {"text": "ab", "list": [1, 2], "object": {"text": "ab", "n": 2}, "n": None, "new": "c"}
    assert fold(before, new) == joined
    assert before["object"] == {"text": "a", "n": 1}


@given(st.text(), st.lists(st.integers(0, 30)))
def test_the_cuts_of_a_stream_do_not_matter(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [Piece(0, "reasoning", text[start:end], extra={"raw": text[start:end]}) for start, end in pairwise(edges)]
    assert grown(*pieces) == [Block("reasoning", text, extra={"raw": text})]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
FIELDS = st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3)


@given(st.lists(FIELDS, max_size=5))
def test_many_parts_fold_to_what_they_do_one_by_one(parts: list[dict[str, Any]]) -> None:
    empty: dict[str, Any] = {}
    assert fold_all(parts) == reduce(fold, parts, empty)


@given(st.lists(st.builds(Piece, st.just(0), st.just("text"), st.text("ab", max_size=2), extra=FIELDS), min_size=1))
def test_many_pieces_join_to_what_they_do_one_by_one(pieces: list[Piece]) -> None:
    assert join_pieces(pieces) == reduce(extend, pieces)


def test_many_parts_of_a_long_text_fold_in_the_time_of_its_length() -> None:
    # With the square of it this would take minutes, and meet the limit that each test has.
    assert len(fold_all({"text": "x" * 50} for _ in range(400_000))["text"]) == 20_000_000
