"""A model server for all sides that ask one: OpenAI's streamed completions, as cheap as uvicorn makes them.

It answers every question of the bench with the pieces that the question asks for, and leaves connections open.
Protocol: https://platform.openai.com/docs/api-reference/chat-streaming.
"""

import argparse
import json
import time
from typing import Any

import uvicorn

from bench.clients.transports import MODEL
from bench.question import parse, pieces
from bench.systems.floor import Message, Receive, Send, event

# For how many seconds a connection may be unused: longer than any side leaves one, so none is closed while it is used.
_IDLE = 3600
_EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_JSON = [(b"content-type", b"application/json")]
_MODELS = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "bench"}]})
_LAST = event(b"[DONE]")


class ChunkFrames:
    """The chunks of one answer as events."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._created = int(time.time())
        self._prefix, self._suffix = self.chunk({"content": "\0"}).split(b"\\u0000")

    def delta(self, text: str) -> bytes:
        """Return a chunk with a new piece, which contains nothing that JSON escapes."""
        return self._prefix + text.encode() + self._suffix

    def chunk(self, delta: dict[str, str], reason: str | None = None) -> bytes:
        """Return a chunk; `reason`: why the answer is over."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        fields = {"id": f"chatcmpl-{self._number}", "object": "chat.completion.chunk", "created": self._created}
        return event(json.dumps(fields | {"model": MODEL, "choices": [choice]}, separators=(",", ":")).encode())


class ModelServer:
    """The ASGI app."""

    def __init__(self) -> None:
        self._answers = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a question; anything else gets the list of models."""
        if scope["method"] == "POST":
            await self._answer(_question(await _body(receive)), send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": _JSON})
        await send({"type": "http.response.body", "body": _MODELS.encode()})

    async def _answer(self, question: str, send: Send) -> None:
        self._answers += 1
        frames = ChunkFrames(self._answers)
        await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        begin = frames.chunk({"role": "assistant", "content": ""})
        async for piece in pieces(parse(question)):
            await send(_more(begin + frames.delta(piece)))
            begin = b""
        await send(_more(frames.chunk({}, "stop") + _LAST))
        await send({"type": "http.response.body", "body": b""})


def _more(data: bytes) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": True}


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _question(body: bytes) -> str:
    """Return the last message's text, which may be in parts."""
    content: Any = json.loads(body)["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.systems.upstream", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(
        ModelServer(),
        host="127.0.0.1",
        port=parser.parse_args().port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_IDLE,
    )
