"""The events of one item of a stream."""

import json
from typing import Any

import msgspec
import pytest

from gateway.openai.responses.item_events import OpenItem
from gateway.openai.responses.output_items import LOGPROBS, ResponseItems
from gateway.openai.sources import Citation
from wire.about import About
from wire.blocks import Block, Piece
from wire.messages import Source

TOKEN = {"token": "a", "logprob": -0.1}
ITEMS = ResponseItems("s0-1", About("chat", dialect="responses", echo={"include": [LOGPROBS]}))


def stream(block: Block, *texts: str, citations: tuple[Citation, ...] = ()) -> list[Any]:
    """Return the events of an item that comes in these texts, without what is the same in all of them."""
    item = OpenItem(ITEMS, 2, 1, msgspec.structs.replace(block, text=""))
    events = [
        *item.begin(),
        *(event for text in texts for event in item.grow(Piece(2, block.kind, text))),
        *item.end(block, ITEMS.build(2, block, citations=citations)),
    ]
    shown = [json.loads(msgspec.json.encode(event)) for event in events]
    name = ITEMS.name(2, block)
    for event in shown:
        assert event.pop("output_index") == 1
        assert event.pop("item_id", name) == name
        assert event.pop("content_index", 0) == event.pop("summary_index", 0) == event.pop("sequence_number") == 0
        event["type"] = event["type"].removeprefix("response.")
    first, *inner, last = shown
    assert (first.pop("type"), last.pop("type")) == ("output_item.added", "output_item.done")
    assert (first["item"]["id"], last["item"]["id"]) == (name, name)
    return inner


def test_a_text_is_a_part_with_deltas_citations_and_an_end() -> None:
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    cited = {"type": "url_citation", "start_index": 2, "end_index": 2, "url": "https://x", "title": "T"}
    citation = Citation(Source("T", "https://x"), 2, 2)
    assert stream(Block("text", "ab"), "a", "", "b", citations=(citation,)) == [
        {"type": "content_part.added", "part": part},
        {"type": "output_text.delta", "delta": "a", "logprobs": []},
        {"type": "output_text.delta", "delta": "b", "logprobs": []},
        {"type": "output_text.annotation.added", "annotation_index": 0, "annotation": cited},
        {"type": "output_text.done", "text": "ab", "logprobs": []},
        {"type": "content_part.done", "part": part | {"text": "ab", "annotations": [cited]}},
    ]


def test_a_refusal_is_a_part_with_deltas_and_an_end() -> None:
    part = {"type": "refusal", "refusal": ""}
    assert stream(Block("refusal", "no"), "n", "o") == [
        {"type": "content_part.added", "part": part},
        {"type": "refusal.delta", "delta": "n"},
        {"type": "refusal.delta", "delta": "o"},
        {"type": "refusal.done", "refusal": "no"},
        {"type": "content_part.done", "part": part | {"refusal": "no"}},
    ]


def test_a_thought_is_the_part_of_a_summary() -> None:
    part = {"type": "summary_text", "text": ""}
    assert stream(Block("reasoning", "hm"), "", "h", "m") == [
        {"type": "reasoning_summary_part.added", "part": part},
        {"type": "reasoning_summary_text.delta", "delta": "h"},
        {"type": "reasoning_summary_text.delta", "delta": "m"},
        {"type": "reasoning_summary_text.done", "text": "hm"},
        {"type": "reasoning_summary_part.done", "part": part | {"text": "hm"}},
    ]


def test_a_thought_that_its_server_hides_has_no_part() -> None:
    assert stream(Block("reasoning", extra={"data": "sealed"}), "") == []


@pytest.mark.parametrize(
    ("custom", "kind", "field"),
    [(False, "function_call_arguments", "arguments"), (True, "custom_tool_call_input", "input")],
)
def test_a_call_comes_in_deltas_and_then_whole(custom: bool, kind: str, field: str) -> None:
    assert stream(Block("tool_call", "{}", "c", "add", custom), "{", "}") == [
        {"type": f"{kind}.delta", "delta": "{"},
        {"type": f"{kind}.delta", "delta": "}"},
        {"type": f"{kind}.done", field: "{}"},
    ]


def test_log_probabilities_come_with_their_text_or_without_any() -> None:
    item = OpenItem(ITEMS, 0, 0, Block("text"))
    for text in ("a", ""):
        (event,) = item.grow(Piece(0, "text", text, extra={"logprobs": {"content": [TOKEN]}}))
        assert msgspec.to_builtins(event).items() >= {"delta": text, "logprobs": [TOKEN]}.items()
