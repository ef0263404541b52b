"""Content blocks and the parts that they become."""

from typing import Any

import pytest

from gateway.answering.thought_fields import pack
from gateway.anthropic.content import parse_call, parse_parts, parse_text
from gateway.openai.errors import InvalidRequestError
from wire.prompt import Opaque, Part, Picture, Text, Thought, ToolCall

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CACHE = {"cache_control": {"type": "ephemeral"}}
DOCUMENT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}} | CACHE
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a"}, Text("a")),
        ({"type": "text", "text": "a"} | CACHE, Text("a", CACHE)),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}} | CACHE,
            Picture(f"data:image/png;base64,{PNG}", extra=CACHE),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://e.org/a"}}, Picture("https://e.org/a")),
        (
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
            Opaque({"type": "image", "source": {"type": "file", "file_id": "f"}}),
        ),
        (DOCUMENT, Opaque(DOCUMENT)),
        (SEARCH, Opaque(SEARCH)),
        (
            {"type": "thinking", "thinking": "hm", "signature": pack({"signature": "s"})},
            Thought("hm", {"signature": "s"}),
        ),
        ({"type": "redacted_thinking", "data": pack({"data": "d"})}, Thought("", {"data": "d"})),
    ],
)
def test_a_block_becomes_a_part(block: dict[str, Any], part: Part) -> None:
    assert parse_parts([block], "content") == (part,)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "hm", "signature": "another server's"},
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "thinking", "thinking": "hm"},
        {"type": "redacted_thinking", "data": "another server's"},
    ],
)
def test_thinking_that_is_not_from_here_is_left_out(block: dict[str, Any]) -> None:
    assert parse_parts([block, {"type": "text", "text": "a"}], "content") == (Text("a"),)


def test_citations_of_a_server_stay_and_those_of_ours_go() -> None:
    theirs = {"type": "char_location", "cited_text": "a"}
    ours = {"type": "web_search_result_location", "encrypted_index": ""}
    block = {"type": "text", "text": "a"}
    assert parse_parts([block | {"citations": [theirs]}], "c") == (Text("a", {"citations": [theirs]}),)
    assert parse_parts([block | {"citations": [theirs, ours]}], "c") == (Text("a"),)
    assert parse_parts([block | {"citations": None}], "c") == (Text("a"),)


def test_a_call_has_its_input_as_compact_json() -> None:
    block = {"type": "tool_use", "id": "c", "name": "add", "input": {"b": [1, 2.0], "a": "é"}} | CACHE
    assert parse_call(block, "x") == ToolCall("c", "add", '{"b":[1,2.0],"a":"é"}', extra=CACHE)


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (1, "content"),
        ([1], "content[0]"),
        ([{}], "content[0].type"),
        ([{"type": 1}], "content[0].type"),
        ([{"type": "text"}], "content[0].text"),
        ([{"type": "image"}], "content[0].source"),
        ([{"type": "image", "source": {"type": "url"}}], "content[0].source.url"),
        ([{"type": "image", "source": {"type": "url", "url": "x"}}], "content[0].source.url"),
        ([{"type": "image", "source": {"type": "base64", "data": PNG}}], "content[0].source.media_type"),
        (
            [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "!"}}],
            "content[0].source.data",
        ),
        ([{"type": "thinking", "thinking": 1}], "content[0].thinking"),
        ([{"type": "redacted_thinking", "data": 1}], "content[0].data"),
        ([{"type": "text", "text": "a"}] * 1025, "content"),
    ],
)
def test_a_block_that_can_not_be_read_is_refused_by_its_name(content: object, param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        parse_parts(content, "content")
    assert refused.value.fault.param == param


@pytest.mark.parametrize(("field", "value"), [("input", "text"), ("input", None), ("id", ""), ("name", 1)])
def test_a_call_without_its_fields_is_refused_by_its_name(field: str, value: object) -> None:
    block = {"type": "tool_use", "id": "c", "name": "add", "input": {}} | {field: value}
    with pytest.raises(InvalidRequestError) as refused:
        parse_call(block, "x")
    assert refused.value.fault.param == f"x.{field}"


def test_where_only_text_may_be_nothing_else_is_taken() -> None:
    assert parse_text("a", "system") == (Text("a"),)
    assert parse_text([{"type": "text", "text": "a"}], "system") == (Text("a"),)
    with pytest.raises(InvalidRequestError, match=r"'system\[0\]\.type' must be 'text'"):
        parse_text([DOCUMENT], "system")
