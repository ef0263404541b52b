"""The floor: a bare ASGI app on uvicorn that makes the pieces itself and streams the same frames at the same pace."""

import argparse
import json
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from bench.question import Question, pieces, read

_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Frames:
    """The frames of one answer, byte for byte like the gateway's."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._prefix, self._suffix = self._frame("\0", done=False).split(b"\\u0000")

    def delta(self, text: str) -> bytes:
        """A frame with a new piece, which holds nothing that JSON escapes."""
        return self._prefix + text.encode() + self._suffix

    def last(self, text: str) -> bytes:
        """The last frame, with the whole text."""
        return self._frame(text, done=True)

    def _frame(self, text: str, *, done: bool) -> bytes:
        data = {"answer": text, "urls": [], "done": done, "reset": False, "token": self._token}
        return b"data: %s\n\n" % json.dumps({"code": 200, "message": "success", "data": data}).encode()


async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
    """Answer any HTTP request with the answer that its question asks for (`!deltas=N !rate=R`)."""
    del receive
    question = parse_qs(scope["query_string"].decode()).get("question", [""])[0]
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await _stream(send, read(question))
    await send({"type": "http.response.body", "body": b""})


async def _stream(send: Send, question: Question) -> None:
    frames, text = Frames(str(uuid.uuid4())), []
    async for piece in pieces(question):
        text.append(piece)
        await send({"type": "http.response.body", "body": frames.delta(piece), "more_body": True})
    await send({"type": "http.response.body", "body": frames.last("".join(text)), "more_body": True})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.floor", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    uvicorn.run(app, host="127.0.0.1", port=port, lifespan="off", access_log=False, log_level="warning")
