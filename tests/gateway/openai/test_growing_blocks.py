from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.openai.growing_blocks import GrowingBlocks
from wire.blocks import Block, BlockKind, Piece, add_piece
from wire.growing_fields import GrowingFields
from wire.text_parts import TextParts

KINDS = st.sampled_from(["text", "reasoning", "tool_call", "opaque"])
EXTRAS = st.dictionaries(st.sampled_from("ab"), st.text("x", max_size=2) | st.lists(st.integers(0, 1)), max_size=2)
GROWTHS = st.lists(st.tuples(KINDS, st.text("ab", max_size=2), EXTRAS, st.booleans()))


@given(GROWTHS)
def test_whenever_they_are_read_they_are_what_their_pieces_add_up_to(
    growths: list[tuple[BlockKind, str, dict[str, object], bool]],
) -> None:
    growing, expected = GrowingBlocks(), list[Block]()
    for kind, text, extra, read in growths:
        number = len(growing) - (growing.last_kind == kind)
        piece = Piece(number, kind, text, custom=number == len(growing) and bool(extra), extra=extra)
        growing.add(piece)
        add_piece(expected, piece)
        assert not read or growing.blocks == expected
        assert growing.is_custom(number) == expected[number].custom
        assert growing.text_place == len(expected) - (expected[-1].kind == "text")
    assert growing.blocks == expected
    assert GrowingBlocks(expected).blocks == expected
    assert len(growing) == len(expected)


@pytest.mark.parametrize(
    "piece", [Piece(0, "text", "more"), Piece(3, "text", "ahead"), Piece(1, "text", "another kind")]
)
def test_a_block_that_has_been_passed_does_not_grow(piece: Piece) -> None:
    growing = GrowingBlocks([Block("text", "one"), Block("reasoning", "two")])
    with pytest.raises(ValueError, match=f"for block {piece.block}"):
        growing.add(piece)


def test_the_last_block_is_dropped_with_what_it_has_got() -> None:
    growing = GrowingBlocks([Block("text", "one"), Block("tool_call", "two")])
    growing.add(Piece(1, "tool_call", "more", extra={"a": 1}))
    growing.drop_last()
    growing.add(Piece(0, "text", " and more"))
    assert growing.blocks == [Block("text", "one and more")]


def counted(read: Callable[[Any], Any], reads: list[str]) -> property:
    """Return a property that notes each time that it is read."""

    def read_counted(grown: object) -> object:
        reads.append(read.__name__)
        return read(grown)

    return property(read_counted)


def test_a_block_that_grows_is_copied_only_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    for type_, name in ((TextParts, "text"), (GrowingFields, "fields")):
        monkeypatch.setattr(type_, name, counted(type_.__dict__[name].fget, copied))
    growing = GrowingBlocks()
    for _ in range(100):
        growing.add(Piece(0, "text", "a", extra={"logprobs": {"content": [1]}}))
    assert copied == []
    assert growing.blocks == [Block("text", "a" * 100, extra={"logprobs": {"content": [1] * 100}})]
