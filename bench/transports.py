"""The ways in which a question is asked and its answer comes back."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from bench import verdict, websocket
from bench.question import Question
from bench.sse import Response

SSE, SOCKET, OPENAI = "sse", "ws", "openai"
# What LiteLLM's proxy is asked for and with; see systems.
MODEL, KEY = "bench", "sk-bench"


class Reading(Protocol):
    """What parses a response; see sse.Response."""

    status: int
    rest: bytes

    def feed(self, data: bytes) -> list[bytes]:
        """The events that `data` completes."""
        ...


@dataclass(frozen=True)
class Transport:
    """`request` opens; `then` is sent once that was answered. `last` stands in the last event alone."""

    request: Callable[[Question], bytes]
    then: Callable[[Question], bytes]
    reading: Callable[[], Reading]
    last: bytes
    judge: Callable[[int, Sequence[bytes], bytes, int], str]


def _get(question: Question) -> bytes:
    path = f"/api_stream?style=balanced&question={quote(str(question), safe='')}"
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode()


def _nothing(_: Question) -> bytes:
    return b""


def _open(_: Question) -> bytes:
    return websocket.handshake("/ws_stream")


def _message(question: Question) -> bytes:
    return websocket.text_frame(json.dumps({"style": "balanced", "question": str(question)}))


def _post(question: Question) -> bytes:
    asked = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": str(question)}]}
    body = json.dumps(asked).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


TRANSPORTS: Mapping[str, Transport] = {
    SSE: Transport(_get, _nothing, Response, verdict.LAST, verdict.judge),
    SOCKET: Transport(_open, _message, websocket.Messages, verdict.LAST, verdict.judge),
    OPENAI: Transport(_post, _nothing, Response, b"[DONE]", verdict.judge_chunks),
}
