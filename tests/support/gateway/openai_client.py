"""A client of /v1, and what its questions were for the scripted worker."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.gateway.harness import RunningGateway
from wire.messages import Chat

COMPLETIONS = "/v1/chat/completions"
MODEL = "bing-balanced"
EVENTS = {"accept": "text/event-stream"}


def chat(*texts: str, **rest: Any) -> dict[str, Any]:
    """Return the body of a chat completion: the texts of user and assistant in turn."""
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]
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


async def complete(gateway: RunningGateway, *texts: str, **headers: str) -> str:
    """Return the answer to a conversation."""
    response = await gateway.client.post(COMPLETIONS, json=chat(*texts), headers=headers)
    assert response.status_code == 200, response.text
    return str(response.json()["choices"][0]["message"]["content"])


def asked_tokens(gateway: RunningGateway) -> list[str]:
    """Return the token of each job that reached the worker."""
    return [token for token, _ in gateway.worker.asked]


def asked_chats(gateway: RunningGateway) -> list[Chat]:
    """Return the questions that reached the worker."""
    return [work for _, work in gateway.worker.asked if isinstance(work, Chat)]
