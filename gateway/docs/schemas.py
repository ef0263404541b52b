"""The schemas of the gateway's own JSON over HTTP, and those that the sockets share with it."""

from typing import Any, get_args

from gateway import errors
from gateway.docs.json_schema import (
    ANSWER,
    BOOLEAN,
    COUNT,
    STRING,
    TOKEN,
    Node,
    array_of,
    const,
    described,
    object_of,
    ref,
    reply_schemas,
)
from gateway.legacy.envelope import AnswerProgress
from gateway.ops.health import Liveness, Readiness
from wire.messages import Style, TurnCount
from wire.reasons import Reason

CODES = sorted({errors.problem_for(reason).code for reason in errors.ERRORS if reason not in errors.EXPORT_REASONS})
STYLES = list(get_args(Style))

_SOURCE = {"title": "Bing", "url": "https://www.bing.com/"}
ANSWER_DATA: dict[str, Any] = {"answer": "Hello! How can I help?", "urls": [_SOURCE], "reset": False, "token": TOKEN}
PICTURES = ["https://www.bing.com/th/id/OIG.abc?pid=ImgGn", "https://www.bing.com/th/id/OIG.def?pid=ImgGn"]
PROGRESS: dict[str, Any] = {
    "answer": ANSWER,
    "token": TOKEN,
    "state": "done",
    "position": None,
    "wait": None,
    "seq": 4,
    "text": "Hello! How can I help?",
    "urls": [_SOURCE],
    "images": [],
    "suggestions": ["What is a stream?"],
    "turns": {"used": 1, "limit": 20},
    "reset": False,
    "error": None,
    "provider": "edgegpt",
    "model": None,
    "reasoning": "",
    "refusal": "",
    "tool_calls": [],
    "usage": None,
}
# The bodies that aren't an answer, an error or a list of pictures, and all that they contain.
_BODIES = reply_schemas(AnswerProgress, Alive=Liveness, Ready=Readiness, Turns=TurnCount)
_COMMON = {name: _BODIES["AnswerProgress"]["properties"][name] for name in ("reset", "token")}


def success(data: Any) -> dict[str, Any]:
    """Return a body with `data`."""
    return {"code": 200, "message": "success", "data": data}


def error(reason: Reason, *, english: bool = False) -> dict[str, Any]:
    """Return the body of an error."""
    problem = errors.problem_for(reason, english)
    return {"code": problem.code, "message": problem.message}


def _success(data: Node, description: str) -> Node:
    return object_of({"code": const(200), "message": const("success"), "data": data}, description=description)


def answers(*, token: bool) -> dict[str, Node]:
    """Return the schemas of an answer and its frames. `token`: always sent, or else to a client that sent one."""
    urls = described(array_of(ref("Source")), "The pages that the answer cites; none in a delta.")
    part = described(STRING, "What is new; in the last frame the whole answer.")
    done = described(BOOLEAN, "Whether this is the last frame.")
    optional = () if token else ("token",)
    return {
        "Error": object_of(
            {
                "code": described(
                    {"type": "integer", "enum": CODES}, "From 400 up also the HTTP status; below that it is 200."
                ),
                "message": described(
                    STRING, "One sentence, in Chinese, or in English where Accept-Language prefers that."
                ),
            },
            description="An error, always exactly this.",
        ),
        "Answer": _success(
            object_of({"answer": STRING, "urls": urls, **_COMMON}, optional=optional), "A whole answer."
        ),
        "Frame": _success(
            object_of({"answer": part, "urls": urls, "done": done, **_COMMON}, optional=optional),
            "One frame of a streamed answer. A frame with `done: false` continues the text; when the upstream replaces "
            "its text, the whole new text is one such frame, so that the joined deltas always end with the answer.",
        ),
    }


def schemas() -> dict[str, Node]:
    """Return all of them, by name."""
    return answers(token=True) | {
        "Pictures": _success({**array_of(STRING), "minItems": 1}, "The addresses of pictures."),
        "Progress": _success(ref("AnswerProgress"), "The state of an answer."),
        "StreamEvent": stream_event(
            {"oneOf": [ref("Frame"), ref("Error")]},
            "One server-sent event. Its data is a frame, or an error, which is then the last. `id` and `retry` are "
            "there for a client that accepts `text/event-stream`, as are deltas with an empty answer: one at the "
            "beginning, and one every 15 s.",
        ),
        **_BODIES,
    }


def stream_event(data: Node, description: str, *, named: bool = False, last: str | None = None) -> Node:
    """Return the schema of a server-sent event by its fields. Its data is JSON, or the stream's `last` data, a word."""
    event = {"event": STRING} if named else {"event": const("message")}
    content: Node = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return {
        "description": description,
        "type": "object",
        "properties": {
            "data": content if last is None else {"anyOf": [const(last), content]},
            "id": described(STRING, "The answer's id, a dot, and the event's number: what Last-Event-ID sends back."),
            "retry": COUNT,
            **event,
        },
    }
