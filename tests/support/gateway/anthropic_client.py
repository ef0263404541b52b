"""A client of /v1/messages, which folds a stream as the SDKs do."""

import json
from collections.abc import Iterable
from typing import Any

MESSAGES = "/v1/messages"
INVALID = "INVALID_JSON"


def ask(*texts: str, **rest: Any) -> dict[str, Any]:
    """Return the body of a question: the texts of user and assistant in turn."""
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]
    return {"model": "bing-balanced", "max_tokens": 1024, "messages": messages, **rest}


def events_of(stream: str) -> list[dict[str, Any]]:
    """The data of a stream's events, each named by its type."""
    *events, rest = stream.split("\n\n")
    assert rest == "", "a stream ends with a whole event"
    return [_data(event) for event in events]


def _data(event: str) -> dict[str, Any]:
    fields = dict(line.split(": ", 1) for line in event.split("\n"))
    data: dict[str, Any] = json.loads(fields["data"])
    assert fields["event"] == data["type"]
    return data


def fold_events(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the message that a stream's reader has at its end; AssertionError for one that is out of order."""
    message: dict[str, Any] = {}
    open_block: int | None = None
    partial = ""
    ended = False
    for event in events:
        assert not ended
        match event:
            case {"type": "message_start", "message": begun}:
                assert not message
                message = begun
            case {"type": "content_block_start", "index": index, "content_block": block}:
                assert open_block is None
                assert index == len(message["content"])
                message["content"].append(dict(block))
                open_block, partial = index, ""
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                assert index == open_block
                partial += _grow(message["content"][index], delta)
            case {"type": "content_block_stop", "index": index}:
                assert index == open_block
                block, open_block = message["content"][index], None
                if block["type"] == "tool_use":
                    block["input"] = read_input(partial)
            case {"type": "message_delta", "delta": delta, "usage": usage}:
                assert open_block is None
                message |= delta
                message["usage"] |= usage
            case {"type": "message_stop"}:
                ended = True
            case {"type": "ping"}:
                pass
            case _:
                raise AssertionError(event)
    assert ended
    return message


def _grow(block: dict[str, Any], delta: dict[str, Any]) -> str:
    match delta:
        case {"type": "text_delta", "text": text}:
            block["text"] += text
        case {"type": "thinking_delta", "thinking": text}:
            block["thinking"] += text
        case {"type": "signature_delta", "signature": signature}:
            block["signature"] = signature
        case {"type": "citations_delta", "citation": citation}:
            block["citations"] = [*block.get("citations", []), citation]
        case {"type": "input_json_delta", "partial_json": text}:
            return str(text)
        case _:
            raise AssertionError(delta)
    return ""


def read_input(text: str) -> dict[str, Any]:
    """Return the input that a call's joined deltas are."""
    if not text.strip():
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {INVALID: text}
