"""The transports over which a question is asked and its answer comes back."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from bench.clients import verdict, websocket
from bench.clients.http_response import HttpResponse
from bench.clients.sse import EventStreamResponse
from bench.question import Question

SSE, SOCKET, OPENAI = "sse", "ws", "openai"
# The model that everybody has, and the key that clients send.
MODEL, KEY = "bench", "sk-bench"


class CompletionsTarget(msgspec.Struct, frozen=True):
    """How a side wants to be asked for a completion: where, by which name for the model, and with which headers."""

    path: str = "/v1/chat/completions"
    model: str = MODEL
    headers: dict[str, str] = {}


USUAL_TARGET = CompletionsTarget()


@dataclass(frozen=True)
class Transport:
    """`request` opens; `message` is sent once the response's head has come. Only the last event contains `last`."""

    request: Callable[[Question, CompletionsTarget], bytes]
    message: Callable[[Question], bytes]
    response: Callable[[], HttpResponse]
    last: bytes
    judge: Callable[[int, Sequence[bytes], bytes, int], str]


def get_request(target: str) -> bytes:
    """Return a GET request as HTTP."""
    return f"GET {target} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode()


def question_request(question: object) -> bytes:
    """Return the request that asks a question at /api_stream."""
    return get_request(f"/api_stream?style=balanced&question={quote(str(question), safe='')}")


def _stream_request(question: Question, _: CompletionsTarget) -> bytes:
    return question_request(question)


def _no_message(_: Question) -> bytes:
    return b""


def _handshake(_: Question, __: CompletionsTarget) -> bytes:
    return websocket.handshake("/ws_stream")


def _socket_message(question: Question) -> bytes:
    return websocket.text_frame(json.dumps({"style": "balanced", "question": str(question)}))


def _completions_request(question: Question, target: CompletionsTarget) -> bytes:
    fields = {"model": target.model, "stream": True, "messages": [{"role": "user", "content": str(question)}]}
    body = json.dumps(fields).encode()
    own = "".join(f"{name}: {text}\r\n" for name, text in target.headers.items())
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {KEY}\r\n{own}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


TRANSPORTS: Mapping[str, Transport] = {
    SSE: Transport(_stream_request, _no_message, EventStreamResponse, verdict.LAST, verdict.judge),
    SOCKET: Transport(_handshake, _socket_message, websocket.WebSocketResponse, verdict.LAST, verdict.judge),
    OPENAI: Transport(_completions_request, _no_message, EventStreamResponse, b"[DONE]", verdict.judge_chunks),
}
