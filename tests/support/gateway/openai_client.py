"""What tests of /v1 say and read."""

import json
from collections.abc import Sequence
from typing import Any

MODEL = "bing-balanced"
EVENTS = {"accept": "text/event-stream"}


def chat(*said: str, **rest: Any) -> dict[str, Any]:
    """The body of a chat completion: what the user and the assistant said in turn."""
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(said)]
    return {"model": MODEL, "messages": messages, **rest}


def chunks_of(stream: str) -> list[Any]:
    """The chunks of a stream that has ended well."""
    *events, done, rest = stream.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(data_of(event)) for event in events]


def data_of(event: str) -> str:
    """An event's data."""
    (data,) = [line.removeprefix("data: ") for line in event.split("\n") if line.startswith("data: ")]
    return data


def joined(chunks: Sequence[Any]) -> str:
    """The text of chunks."""
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"])
