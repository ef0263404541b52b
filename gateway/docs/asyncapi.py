"""The document at /asyncapi.json, in AsyncAPI 3.1: the two sockets, and the subprotocol `bing-chat.v2`."""

from collections.abc import Iterable
from typing import Any

from gateway.docs import schemas, v2_messages
from gateway.docs.json_schema import STRING, Node, described, object_of, ref
from gateway.docs.openapi import info
from gateway.docs.schemas import ANSWER_DATA, STYLES, error, success
from gateway.v2.messages import SUBPROTOCOL
from wire.reasons import Reason

_DESCRIPTION = """Questions and answers over WebSocket. All messages are text frames that hold one JSON object, from
clients of at most the server's MAX_MESSAGE. Keep-alive is by pings of the protocol. The endpoints over HTTP are in
[/openapi.json](/openapi.json).

Where the server has a list of API keys, a handshake needs one, or is answered with 401: as `Authorization: Bearer …`,
as `X-API-Key`, as the query `api_key`, or as a subprotocol `key.…`. Without a list, pages of origins that CORS_ORIGINS
lacks get a 403, and names that ALLOWED_HOSTS lacks a 421."""
_CLOSE_CODES = {
    "1000": "Sent by a client that is done. Closing stops no question that was sent upstream.",
    "1008": "The API key isn't valid any more: its last message was refused with 401, and all answers have ended.",
    "1009": "A message is larger than MAX_MESSAGE.",
    "1012": "The gateway goes down: connect again, at any gateway.",
    "1013": "The client has too many large messages here that aren't whole, or wait: try again later.",
}
_ONE = "One connection is one conversation: its questions are answered in order, and closing it ends the conversation."
_QUESTION: Node = object_of(
    {
        "style": {"type": "string", "enum": STYLES},
        "question": {"type": "string", "minLength": 1},
        "token": described(
            {"type": ["string", "null"]}, "To continue a conversation over HTTP; frames then contain it too."
        ),
    },
    optional=["token"],
) | {"additionalProperties": True}
_WHOLE = {name: value for name, value in ANSWER_DATA.items() if name != "token"}
_ORDER = ("answer", "urls", "done", "reset")
_LAST = _WHOLE | {"done": True}
_DELTA = _WHOLE | {"answer": "Hello!", "urls": [], "done": False}
# Messages of the old sockets, by name: what they are, and an example.
_OLD: dict[str, tuple[str, Any]] = {
    "Question": ("A question.", {"style": "balanced", "question": "hello"}),
    "Answer": ("The whole answer.", success(_WHOLE)),
    "Frame": ("A part of the answer; the last one is the whole.", success({name: _LAST[name] for name in _ORDER})),
    "Error": ("The question failed. The socket stays open.", error(Reason.REQUEST_EMPTY)),
}


def document() -> Node:
    """Return the whole document."""
    described = info("Bing Chat gateway: sockets", _DESCRIPTION) | {"license": {"name": "MIT"}}
    return {
        "asyncapi": "3.1.0",
        "info": described | {"tags": [{"name": "WebSocket", "description": "Questions and answers on a socket."}]},
        "defaultContentType": "application/json",
        "servers": {"gateway": _server()},
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": _messages(),
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer …`"},
                "header": {"type": "httpApiKey", "in": "header", "name": "X-API-Key", "description": "A header."},
                "query": {"type": "httpApiKey", "in": "query", "name": "api_key", "description": "In the query."},
            },
        },
    }


def _server() -> Node:
    return {
        "host": "127.0.0.1:5000",
        "protocol": "ws",
        "description": "A gateway where it listens by default. `wss` behind a proxy that ends TLS.",
        "security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in ("bearer", "header", "query")],
    }


def _channels() -> Node:
    return {
        "ws": _channel("/ws", "One frame for each question", _ONE, ["Question", "Answer", "Error"]),
        "ws_stream": _channel(
            "/ws_stream",
            "Frames as the answer comes",
            f"{_ONE} The frames of a question end with one that has `done: true`, or with an error.",
            ["Question", "Frame", "Error"],
        ),
        "v2": _channel(
            "/ws_stream",
            f"Typed frames: {SUBPROTOCOL}",
            f"For a client that offers the subprotocol `{SUBPROTOCOL}`: many answers side by side, each of which can "
            "be stopped, and resumed after a lost connection at any gateway. Closing the socket stops nothing.",
            v2_messages.EXAMPLES,
            SUBPROTOCOL,
        ),
    }


def _channel(address: str, title: str, description: str, messages: Iterable[str], subprotocol: str = "key.…") -> Node:
    offered = {"type": "string", "examples": [subprotocol]}
    handshake: Node = {
        "method": "GET",
        "query": {"type": "object", "properties": {"api_key": STRING}},
        "headers": {"type": "object", "properties": {"Sec-WebSocket-Protocol": offered, "X-Request-ID": STRING}},
        "bindingVersion": "0.1.0",
    }
    if subprotocol == SUBPROTOCOL:
        handshake["headers"]["required"] = ["Sec-WebSocket-Protocol"]
    return {
        "address": address,
        "title": title,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": handshake},
        "x-close-codes": _CLOSE_CODES,
    }


def _operations() -> Node:
    sent = list(v2_messages.REQUESTS)
    replies = [name for name in v2_messages.EXAMPLES if name not in sent]
    return {
        "ask": _receive("ws", "Ask and get the whole answer", ["Question"], ["Answer", "Error"]),
        "askStreaming": _receive("ws_stream", "Ask and stream the answer", ["Question"], ["Frame", "Error"]),
        "converse": _receive("v2", "Ask, resume and stop", sent, replies),
    }


def _receive(channel: str, summary: str, messages: list[str], replies: list[str]) -> Node:
    where = {"$ref": f"#/channels/{channel}"}

    def refs(names: list[str]) -> list[Node]:
        return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]

    return {
        "action": "receive",
        "channel": where,
        "summary": summary,
        "description": "Each message gets the frames of its answer, or an error.",
        "messages": refs(messages),
        "reply": {"channel": where, "messages": refs(replies)},
    }


def _messages() -> Node:
    described = v2_messages.REQUESTS | v2_messages.FRAMES
    v2 = {name: (described[name]["description"], example) for name, example in v2_messages.EXAMPLES.items()}
    return {name: _message(name, summary, example) for name, (summary, example) in (_OLD | v2).items()}


def _message(name: str, summary: str, example: Any) -> Node:
    examples = [{"name": name.lower(), "payload": example}]
    if name == "Frame":
        examples.insert(0, {"name": "delta", "payload": success({key: _DELTA[key] for key in _ORDER})})
    return {"name": name, "title": name, "summary": summary, "payload": ref(name), "examples": examples}


def _schemas() -> dict[str, Node]:
    return schemas.answers(token=False) | {"Question": _QUESTION} | v2_messages.REQUESTS | v2_messages.FRAMES
