"""What clients get of an answer beside its text."""

import msgspec

from gateway.answering.parts import called_tools, joined_text, show_pieces, used_tokens
from wire.blocks import Block, Piece
from wire.messages import Usage

BLOCKS = (
    Block("reasoning", "first", extra={"signature": "s"}),
    Block("text", "a"),
    Block("opaque", extra={"secret": 1}),
    Block("reasoning", "second"),
    Block("tool_call", "{}", "c1", "f", extra={"thought_signature": "s"}),
    Block("tool_call", "ls", "c2", "sh", custom=True),
)


def test_blocks_of_a_kind_are_joined() -> None:
    assert joined_text(BLOCKS, "reasoning") == "first\n\nsecond"
    assert joined_text(BLOCKS, "refusal") == ""


def test_calls_have_their_name_and_arguments_and_nothing_of_the_server() -> None:
    assert msgspec.to_builtins(called_tools(BLOCKS)) == [
        {"id": "c1", "name": "f", "arguments": "{}"},
        {"id": "c2", "name": "sh", "arguments": "ls", "custom": True},
    ]


def test_pieces_are_shown_in_order_without_what_is_opaque() -> None:
    pieces = (
        Piece(0, "reasoning", "hm", extra={"signature": "s"}),
        Piece(1, "opaque", extra={"secret": 1}),
        Piece(2, "tool_call", "{", "c1", "f"),
        Piece(2, "tool_call", "}"),
    )
    assert msgspec.to_builtins(show_pieces(pieces)) == [
        {"block": 0, "kind": "reasoning", "text": "hm"},
        {"block": 2, "kind": "tool_call", "text": "{", "id": "c1", "name": "f"},
        {"block": 2, "kind": "tool_call", "text": "}"},
    ]


def test_tokens_are_shown_where_they_are_counted() -> None:
    assert used_tokens(None) is None
    shown = msgspec.to_builtins(used_tokens(Usage(5, 4, cached=3, cache_written=2, reasoning=1, raw={"x": 1})))
    assert shown == {"prompt": 5, "completion": 4, "cached": 3, "cache_written": 2, "reasoning": 1}
