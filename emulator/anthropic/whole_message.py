"""The message that the events of a stream add up to."""

import json
from collections.abc import Iterable
from typing import Any

from emulator.json_text import Json


def fold(events: Iterable[Json]) -> Json:
    """Return the message that comes when no stream is asked for."""
    message: Json = {}
    content: list[Json] = []
    arguments = ""
    for one in events:
        match one.get("type"):
            case "message_start":
                message = dict(one["message"])
            case "content_block_start":
                content.append(dict(one["content_block"]))
                arguments = ""
            case "content_block_delta":
                arguments += one["delta"].get("partial_json", "")
                _grow(content[-1], one["delta"])
            case "content_block_stop" if content[-1]["type"] == "tool_use":
                content[-1]["input"] = _parse(arguments)
            case "message_delta":
                message |= one["delta"] | {"usage": message["usage"] | one["usage"]}
    return message | {"content": content}


def _grow(block: Json, delta: Json) -> None:
    for name, text in delta.items():
        if name not in ("type", "partial_json"):
            block[name] = block.get(name, "") + text


def _parse(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments
