"""The events by which a server of Anthropic's API streams a message."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

Event = dict[str, Any]
_DELTAS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def opening(**usage: int) -> Event:
    """The event that opens a message."""
    counted = {"input_tokens": 7, "output_tokens": 1, **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": counted}
    return {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}}


def ending(reason: str = "end_turn", **fields: Any) -> list[Event]:
    """The events that end a message."""
    delta = {"stop_reason": reason, "stop_sequence": None, **fields}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]


def content(number: int, block: Event, size: int = 4) -> Iterator[Event]:
    """The events of a block, with its text in parts of that size."""
    kind = block["type"]
    emptied = dict(block)
    deltas: list[Event] = []
    if kind in _DELTAS:
        change, name = _DELTAS[kind]
        deltas += ({"type": change, name: part} for part in _parts(block[name], size))
        emptied[name] = ""
    if kind == "thinking":
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        emptied["signature"] = ""
    if kind in ("tool_use", "server_tool_use"):
        text = json.dumps(block["input"], ensure_ascii=False, separators=(",", ":"))
        deltas += ({"type": "input_json_delta", "partial_json": part} for part in ["", *_parts(text, size)])
        emptied["input"] = {}
    yield {"type": "content_block_start", "index": number, "content_block": emptied}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": number, "delta": delta}
    yield {"type": "content_block_stop", "index": number}


def message(*blocks: Event, reason: str = "end_turn", size: int = 4, **fields: Any) -> list[Event]:
    """All events of a message."""
    inner = [event for number, block in enumerate(blocks) for event in content(number, block, size)]
    return [opening(), {"type": "ping"}, *inner, *ending(reason, **fields)]


def encoded(events: Iterable[Event]) -> bytes:
    """Events as a server writes them."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def whole(*blocks: Event, reason: str = "end_turn", **fields: Any) -> Event:
    """A message that isn't streamed."""
    start: Event = opening()["message"]
    usage = {"input_tokens": 7, "output_tokens": 5}
    return {**start, "content": list(blocks), "stop_reason": reason, "usage": usage, **fields}


def text(words: str, **fields: Any) -> Event:
    """A block of text."""
    return {"type": "text", "text": words, **fields}


def thinking(words: str, signature: str = "sig") -> Event:
    """A block of thinking."""
    return {"type": "thinking", "thinking": words, "signature": signature}


def call(name: str, given: Event, id_: str = "toolu_1", **fields: Any) -> Event:
    """A block with a call."""
    return {"type": "tool_use", "id": id_, "name": name, "input": given, **fields}


def _parts(whole_text: str, size: int) -> list[str]:
    return [whole_text[start : start + size] for start in range(0, len(whole_text), size)]
