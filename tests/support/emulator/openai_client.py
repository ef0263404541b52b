"""A plain client of the emulator's /v1, on httpx: it keeps what came and how it ended, and checks nothing."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

Json = dict[str, Any]
DONE = "[DONE]"


@dataclass
class OpenaiReply:
    """What came back. `writes` are the portions of a stream as they arrived; `broken` the transport's error."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    writes: list[bytes] = field(default_factory=list)
    broken: type[Exception] | None = None

    @property
    def body(self) -> str:
        return b"".join(self.writes).decode()

    @property
    def json(self) -> Json:
        value: Json = json.loads(self.body)
        return value

    @property
    def data(self) -> list[str]:
        """What each event holds."""
        lines = self.body.replace("\r\n", "\n").split("\n")
        return [line[5:].strip() for line in lines if line.startswith("data:")]

    @property
    def events(self) -> list[Json]:
        """The events that are JSON objects."""
        events = []
        for data in self.data:
            try:
                value = json.loads(data)
            except ValueError:
                continue
            if isinstance(value, dict):
                events.append(value)
        return events

    @property
    def choices(self) -> list[Json]:
        return [choice for event in self.events for choice in event.get("choices") or () if isinstance(choice, dict)]

    @property
    def pieces(self) -> list[str]:
        deltas = [choice["delta"] for choice in self.choices if isinstance(choice["delta"], dict)]
        return [delta["content"] for delta in deltas if isinstance(delta.get("content"), str) and delta["content"]]

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def reasons(self) -> list[str]:
        return [choice["finish_reason"] for choice in self.choices if choice.get("finish_reason")]

    @property
    def message(self) -> Json:
        message: Json = self.json["choices"][0]["message"]
        return message


@dataclass
class OpenaiClient:
    """One key at one emulator."""

    http: httpx.AsyncClient

    async def ask(self, text: str, *before: tuple[str, str], stream: bool = True, **changes: object) -> OpenaiReply:
        """Ask a question after these messages (role, text)."""
        messages = [{"role": role, "content": content} for role, content in (*before, ("user", text))]
        return await self.send({"model": "stand-in", "messages": messages, "stream": stream} | changes)

    async def send(self, body: object, path: str = "chat/completions", **headers: str) -> OpenaiReply:
        reply = OpenaiReply()
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            async with self.http.stream("POST", path, content=data, headers=headers) as response:
                reply.status, reply.headers = response.status_code, response.headers
                async for part in response.aiter_raw():
                    reply.writes.append(part)
        except httpx.TransportError as error:
            reply.broken = type(error)
        return reply

    async def script(self, **order: object) -> None:
        response = await self.http.post(str(self.http.base_url.join("/_script")), json=order)
        assert response.status_code == 200, response.text

    async def ledger(self) -> Json:
        entries: Json = (await self.http.get(str(self.http.base_url.join("/_ledger")))).json()
        return entries


def connect(url: str, key: str | None = "k1") -> httpx.AsyncClient:
    """Return a connection to the base address of the API, with a key or none."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.AsyncClient(base_url=f"{url}/", headers=headers, timeout=5)
