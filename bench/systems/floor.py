"""The floor: the least that uvicorn can do with the same answers. It makes the pieces itself, at the same pace.

Server-sent events come from a bare ASGI app, WebSocket messages from a bare Starlette app.
"""

import argparse
import json
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bench.question import Question, parse, pieces

_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class FloorFrames:
    """The gateway's frames of one answer, byte for byte. Over WebSocket they have no token."""

    def __init__(self, token: str | None) -> None:
        self._token = {} if token is None else {"token": token}
        self._prefix, self._suffix = self._frame("\0", done=False).split(b"\\u0000")

    def delta(self, text: str) -> bytes:
        """Return a frame with a new piece, which contains nothing that JSON escapes."""
        return self._prefix + text.encode() + self._suffix

    def last(self, text: str) -> bytes:
        """Return the last frame, with the whole text."""
        return self._frame(text, done=True)

    def _frame(self, text: str, *, done: bool) -> bytes:
        data = {"answer": text, "urls": [], "done": done, "reset": False} | self._token
        return json.dumps({"code": 200, "message": "success", "data": data}).encode()


async def stream(scope: Message, receive: Receive, send: Send) -> None:
    """Answer any HTTP request with the answer that its question asks for."""
    del receive
    question = parse(parse_qs(scope["query_string"].decode()).get("question", [""])[0])
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    frames, text = FloorFrames(str(uuid.uuid4())), ""
    async for piece in pieces(question):
        text += piece
        await send(_body(frames.delta(piece)))
    await send(_body(frames.last(text)))
    await send({"type": "http.response.body", "body": b""})


def event(data: bytes) -> bytes:
    """Return a frame as a server-sent event."""
    return b"data: %s\n\n" % data


def _body(data: bytes) -> Message:
    return {"type": "http.response.body", "body": event(data), "more_body": True}


async def converse(socket: WebSocket) -> None:
    """Answer each question that comes."""
    await socket.accept()
    try:
        while True:
            await _answer(socket, parse((await socket.receive_json())["question"]))
    except WebSocketDisconnect:
        return


async def _answer(socket: WebSocket, question: Question) -> None:
    frames, text = FloorFrames(None), ""
    async for piece in pieces(question):
        text += piece
        await socket.send_text(frames.delta(piece).decode())
    await socket.send_text(frames.last(text).decode())


_socket_app = Starlette(routes=[WebSocketRoute("/ws_stream", converse)])


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Serve both transports."""
    await (stream if scope["type"] == "http" else _socket_app)(scope, receive, send)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.systems.floor", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    # The event loop, the parsers and their settings are the gateway's.
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=parser.parse_args().port,
        loop="uvloop",
        http="httptools",
        ws="wsproto",
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
