"""What came back from one of the emulator's APIs that name their events."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

Json = dict[str, Any]


@dataclass
class EventReply:
    """A response, whole or a stream. `broken` is the transport's error."""

    status: int = 0
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    content: bytes = b""
    broken: type[Exception] | None = None

    @property
    def body(self) -> str:
        return self.content.decode()

    @property
    def json(self) -> Json:
        value: Json = json.loads(self.content)
        return value

    @property
    def error(self) -> Json:
        error: Json = self.json["error"]
        return error

    @property
    def named(self) -> list[tuple[str, Any]]:
        """The name and the value of each event; a value that is no JSON stays text."""
        found: list[tuple[str, Any]] = []
        for part in self.body.replace("\r\n", "\n").split("\n\n"):
            fields = dict(line.split(":", 1) for line in part.split("\n") if ":" in line and not line.startswith(":"))
            if "data" in fields:
                found.append((fields.get("event", "").strip(), _read(fields["data"].strip())))
        return found

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.named]

    @property
    def events(self) -> list[Json]:
        """The events that are JSON objects."""
        return [value for _, value in self.named if isinstance(value, dict)]


async def post(http: httpx.AsyncClient, path: str, body: object, **headers: str) -> EventReply:
    """Send a body and read the response to its end, however it ends."""
    reply = EventReply()
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        async with http.stream("POST", path, content=data, headers=headers) as response:
            reply.status, reply.headers = response.status_code, response.headers
            async for part in response.aiter_raw():
                reply.content += part
    except httpx.TransportError as error:
        reply.broken = type(error)
    return reply


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
