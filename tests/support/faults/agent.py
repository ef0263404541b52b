"""An agent at /v1: it carries out the calls of each answer and continues, whatever happens to its connections."""

import itertools
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from wire.blocks import fold

_PATH = "/v1/chat/completions"
_TOOL = {"type": "function", "function": {"name": "note", "parameters": {"type": "object"}}}


@dataclass
class Round:
    """A round as its client sees it: the message so far, whether it has ended, and the gateway that sends it."""

    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    frames: list[str] = field(default_factory=list)
    last: str = ""
    gateway: str = ""
    error: Any = None
    ended: bool = False

    @property
    def answer(self) -> str:
        """The answer's id."""
        return self.last.rpartition(".")[0]

    @property
    def message(self) -> dict[str, Any]:
        """The message that the deltas make."""
        message: dict[str, Any] = {}
        calls: dict[int, dict[str, Any]] = {}
        for delta in (json.loads(frame)["choices"][0]["delta"] for frame in self.frames):
            for call in delta.pop("tool_calls", []):
                index = call.pop("index")
                calls[index] = fold(calls.get(index, {}), call)
            message = fold(message, delta)
        return message | ({"tool_calls": list(calls.values())} if calls else {})

    def take(self, frames: list[str], id_: str) -> None:
        """Take the frames of one event, which only the last one's id makes whole."""
        self.last = id_
        for frame in frames:
            if frame == "[DONE]":
                self.ended = True
            elif "error" in (content := json.loads(frame)):
                self.error, self.ended = content["error"], True
            else:
                self.frames.append(frame)


Hurt = Callable[[Round], None]


class Agent:
    """One conversation. `asked` counts the requests by the number of their messages: each has a key of its own."""

    def __init__(self, urls: list[str], question: str) -> None:
        self._urls = itertools.cycle(urls)
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
        self.asked: Counter[int] = Counter()
        self.rounds: list[Round] = []

    async def run(self, hurt: dict[int, Hurt]) -> str:
        """Continue to the end and return its text. `hurt` is called within the rounds of these numbers."""
        while True:
            current = await self._ask(hurt.get(len(self.rounds)))
            self.rounds.append(current)
            if current.error is not None:
                hurt.pop(len(self.rounds) - 1)
                self.rounds.pop()
                continue
            message = current.message
            if not message.get("tool_calls"):
                return str(message["content"])
            results = [
                {"role": "tool", "tool_call_id": call["id"], "content": json.loads(call["function"]["arguments"])["id"]}
                for call in message["tool_calls"]
            ]
            self.messages += [message, *results]

    async def whole(self, current: Round, url: str) -> list[str]:
        """The frames of a round for a client that asks again from its beginning."""
        again = Round(current.key, last=f"{current.answer}.0")
        async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
            count = 1 + 2 * self.rounds.index(current)
            async for frames, id_ in self._events(client, again, url, count):
                again.take(frames, id_)
        return again.frames

    async def _ask(self, hurt: Hurt | None) -> Round:
        """Ask, and follow the answer over a new connection for each of its events."""
        current = Round()
        self.asked[len(self.messages)] += 1
        while not current.ended:
            current.gateway = next(self._urls)
            try:
                async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
                    async for frames, id_ in self._events(client, current, current.gateway, len(self.messages)):
                        current.take(frames, id_)
                        if hurt is not None and current.message.get("tool_calls"):
                            hurt(current)
                            hurt = None
                        break
            except httpx.TransportError:
                continue
        return current

    async def _events(
        self, client: httpx.AsyncClient, current: Round, url: str, count: int
    ) -> AsyncIterator[tuple[list[str], str]]:
        """Yield events: the frames of each, and its id."""
        headers = {"accept": "text/event-stream", "idempotency-key": current.key}
        headers |= {"last-event-id": current.last} if current.last else {}
        body = {"model": "stand-in", "messages": self.messages[:count], "tools": [_TOOL], "stream": True}
        async with client.stream("POST", url + _PATH, json=body, headers=headers) as response:
            if response.status_code != 200:
                raise AssertionError((await response.aread()).decode())
            frames: list[str] = []
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    frames.append(line.removeprefix("data: "))
                elif line.startswith("id: "):
                    yield frames, line.removeprefix("id: ")
                    frames = []
