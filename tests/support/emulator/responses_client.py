"""A plain client of the emulator's Responses API, on httpx."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.emulator.event_reply import EventReply, Json, post

ADD: Json = {
    "type": "function",
    "name": "add",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
}
NOTE: Json = {"type": "custom", "name": "note"}
CALLS = 'go !tool=add {"a":1} !and=note "some text" !say "Done."'


@dataclass
class ResponsesClient:
    """One key at one emulator."""

    http: httpx.AsyncClient

    async def ask(self, sent: Any, **changes: Any) -> EventReply:
        return await post(self.http, "responses", {"model": "stand-in", "input": sent} | changes)

    async def script(self, **order: object) -> None:
        response = await self.http.post(str(self.http.base_url.join("/_script")), json=order)
        assert response.status_code == 200, response.text


def text_of(response: Json) -> str:
    """Return the text in a response's messages."""
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part.get("text", "") for part in parts)


def outputs(response: Json) -> list[Json]:
    """Return an output for each call in a response."""
    calls = [item for item in response["output"] if "call_id" in item]
    return [{"type": f"{item['type']}_output", "call_id": item["call_id"], "output": "7"} for item in calls]
