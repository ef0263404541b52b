"""One block of a stream, however it is cut."""

import json
from typing import Any

from gateway.answering.thought_fields import pack
from gateway.anthropic.growing_content import GrowingContent
from wire.blocks import Piece


def events(*pieces: Piece) -> list[list[dict[str, Any]]]:
    """The events of each piece, and those of the end."""
    content = GrowingContent(pieces[0], 5)
    rendered = [*(content.add(piece) for piece in pieces), content.close()]
    return [[json.loads(frame.data) for frame in frames] for frames in rendered]


def test_a_block_begins_with_its_first_text() -> None:
    first, second, end = events(Piece(0, "text", ""), Piece(0, "text", "a"))
    assert first == []
    assert [event["type"] for event in second] == ["content_block_start", "content_block_delta"]
    assert {event["index"] for event in second + end} == {5}


def test_a_block_with_nothing_to_show_never_begins() -> None:
    for kind in ("text", "refusal", "reasoning", "opaque"):
        assert events(Piece(0, kind)) == [[], []]


def test_thinking_is_signed_at_its_end_with_all_that_its_server_sent() -> None:
    pieces = [Piece(0, "reasoning", "h", extra={"a": "x"}), Piece(0, "reasoning", "", extra={"a": "y"})]
    *_, (signed, stop) = events(*pieces)
    assert signed["delta"] == {"type": "signature_delta", "signature": pack({"a": "xy"})}
    assert stop["type"] == "content_block_stop"


def test_thinking_without_a_text_is_known_at_its_end() -> None:
    begun, (start, stop) = events(Piece(0, "reasoning", extra={"data": "d"}))
    assert begun == []
    assert start["content_block"] == {"type": "redacted_thinking", "data": pack({"data": "d"})}
    _, (start, signed, stop) = events(Piece(0, "reasoning", extra={"signature": "s"}))
    assert start["content_block"] == {"type": "thinking", "thinking": "", "signature": ""}
    assert signed["delta"]["signature"] == pack({"signature": "s"})
    assert stop["type"] == "content_block_stop"


def test_a_block_of_a_servers_own_tool_is_shown_as_it_is() -> None:
    searched = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}}
    begun, (start, stop) = events(Piece(0, "opaque", extra=searched))
    assert (begun, start["content_block"]) == ([], searched)
    assert stop["type"] == "content_block_stop"


def test_a_call_begins_with_its_name_and_grows_by_its_arguments() -> None:
    (start,), (delta,), (stop,) = events(Piece(0, "tool_call", "", "c", "add"), Piece(0, "tool_call", '{"a'))
    assert start["content_block"] == {"type": "tool_use", "id": "c", "name": "add", "input": {}}
    assert delta["delta"] == {"type": "input_json_delta", "partial_json": '{"a'}
    assert stop["type"] == "content_block_stop"


def test_the_text_of_a_custom_tool_is_a_string_in_an_object() -> None:
    pieces = [Piece(0, "tool_call", 'a"', "c", "sh", custom=True), Piece(0, "tool_call", "\n\\é")]
    deltas = [event["delta"]["partial_json"] for frames in events(*pieces) for event in frames if "delta" in event]
    assert json.loads("".join(deltas)) == {"input": 'a"\n\\é'}


def test_citations_come_one_by_one() -> None:
    (_, text, *cited), _ = events(Piece(0, "text", "a", extra={"citations": [{"n": 1}, {"n": 2}]}))
    assert text["delta"]["type"] == "text_delta"
    assert [event["delta"]["citation"] for event in cited] == [{"n": 1}, {"n": 2}]
