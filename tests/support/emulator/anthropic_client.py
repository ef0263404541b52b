"""A plain client of the emulator's Anthropic API, on httpx."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.emulator.event_reply import EventReply, Json, post

WEATHER: Json = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TIME: Json = {"name": "get_time", "input_schema": {"type": "object"}}
CALL = 'tell me !tool=get_weather {"city":"Paris"}'


@dataclass
class AnthropicClient:
    """One key at one emulator."""

    http: httpx.AsyncClient

    async def ask(self, content: Any, *before: Json, stream: bool = False, **changes: Any) -> EventReply:
        """Ask a question after these messages."""
        messages = [*before, {"role": "user", "content": content}]
        body = {"model": "stand-in", "max_tokens": 4096, "stream": stream, "messages": messages}
        return await self.send(body | changes)

    async def send(self, body: object, path: str = "messages", **headers: str) -> EventReply:
        return await post(self.http, path, body, **headers)

    async def script(self, **order: object) -> None:
        response = await self.http.post(str(self.http.base_url.join("/_script")), json=order)
        assert response.status_code == 200, response.text


def connect(url: str, key: str | None = "k1") -> httpx.AsyncClient:
    """Return a connection to the base address of the API, with a key or none."""
    headers = {"anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {})}
    return httpx.AsyncClient(base_url=f"{url}/", headers=headers, timeout=5)


def text_of(reply: EventReply) -> str:
    """Return the text in a stream."""
    deltas = [event["delta"] for event in reply.events if event["type"] == "content_block_delta"]
    return "".join(str(delta["text"]) for delta in deltas if isinstance(delta, dict) and "text" in delta)
