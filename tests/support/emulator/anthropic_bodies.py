"""Bodies for Anthropic's API, and what the emulator finds wrong in them."""

import json
from typing import Any

import pytest

from emulator.anthropic import request_body
from emulator.anthropic.error_response import MessageError
from emulator.anthropic.request_body import MessageBody
from tests.support.emulator.event_reply import Json

HEADERS = {"anthropic-version": "2023-06-01"}
HI: Json = {"role": "user", "content": "hi"}


def read(*messages: Json, betas: str = "", **changes: Any) -> MessageBody:
    """Return what a body with these messages asks for. Raises MessageError."""
    body = {"model": "stand-in", "max_tokens": 4096, "messages": list(messages)} | changes
    present = {name: value for name, value in body.items() if value is not ...}
    headers = HEADERS | ({"anthropic-beta": betas} if betas else {})
    return request_body.parse(json.dumps(present).encode(), headers)


def wrong(*messages: Json, betas: str = "", **changes: Any) -> str:
    """Return what is wrong with a body."""
    with pytest.raises(MessageError) as caught:
        read(*messages, betas=betas, **changes)
    assert (caught.value.response.status, caught.value.response.kind) == (400, "invalid_request_error")
    return caught.value.response.message


def assistant(*blocks: Json) -> Json:
    """Return a message of the assistant's."""
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks: Json) -> Json:
    """Return a message of the user's."""
    return {"role": "user", "content": list(blocks)}


def call(id_: str, name: str = "f") -> Json:
    """Return a call."""
    return {"type": "tool_use", "id": id_, "name": name, "input": {"a": 1}}


def result(id_: str, content: Any = "ok") -> Json:
    """Return the result of a call."""
    return {"type": "tool_result", "tool_use_id": id_, "content": content}


def text(value: str) -> Json:
    """Return a block of text."""
    return {"type": "text", "text": value}
