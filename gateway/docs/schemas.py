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
    enum,
    nullable,
    object_of,
    ref,
)
from wire.messages import Style
from wire.reasons import Reason

CODES = sorted({errors.problem_for(reason).code for reason in errors.ERRORS if reason not in errors.EXPORT_REASONS})
STYLES = list(get_args(Style))
STATES = ["queued", "running", "done", "failed", "stopped"]

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
}
_TOKEN = described(STRING, "Send it with the next question to continue the conversation.")
_RESET = described(
    BOOLEAN, "The conversation was not continued: this answer comes from a new one, or the next answer will."
)


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
    end = {"reset": _RESET, "token": _TOKEN}
    urls = described(array_of(ref("Source")), "The pages that the answer cites; none in a delta.")
    part = described(STRING, "What is new; in the last frame the whole answer.")
    done = described(BOOLEAN, "Whether this is the last frame.")
    optional = () if token else ("token",)
    return {
        "Source": object_of({"title": STRING, "url": STRING}, description="A page that an answer cites."),
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
        "Answer": _success(object_of({"answer": STRING, "urls": urls, **end}, optional=optional), "A whole answer."),
        "Frame": _success(
            object_of({"answer": part, "urls": urls, "done": done, **end}, optional=optional),
            "One frame of a streamed answer. A frame with `done: false` continues the text; when the upstream replaces "
            "its text, the whole new text is one such frame, so that the joined deltas always end with the answer.",
        ),
    }


def _progress() -> Node:
    return object_of(
        {
            "answer": described(STRING, "The answer's id."),
            "token": _TOKEN,
            "state": enum(*STATES),
            "position": described(
                nullable(COUNT), "While it is queued: 1 is the next one, 0 one that waits for an account."
            ),
            "wait": described(nullable(COUNT), "While it is queued: an estimate, in seconds."),
            "seq": described(COUNT, "The number of its last event."),
            "text": described(STRING, "The text so far."),
            "urls": array_of(ref("Source")),
            "images": described(array_of(STRING), "The addresses of pictures, for an image request."),
            "suggestions": described(array_of(STRING), "What the user may want to ask next."),
            "turns": described(nullable(ref("Turns")), "The upstream conversation's turns, where they are known."),
            "reset": _RESET,
            "error": nullable(ref("AnswerError")),
            "provider": described(nullable(STRING), "Who answers, once it is known."),
        }
    )


def schemas() -> dict[str, Node]:
    """Return all of them, by name."""
    problem = {"code": {"type": "integer"}, "message": STRING, "reason": STRING, "retry_after": nullable(COUNT)}
    health = {"ready": BOOLEAN, "redis": BOOLEAN, "workers": COUNT, "draining": BOOLEAN}
    return answers(token=True) | {
        "Pictures": _success({**array_of(STRING), "minItems": 1}, "The addresses of pictures."),
        "Progress": _success(_progress(), "How far an answer has come. What only its end brings is empty until then."),
        "Turns": object_of({"used": COUNT, "limit": COUNT}),
        "AnswerError": object_of(problem, description="How an answer failed; `retry_after` is in seconds."),
        "StreamEvent": stream_event(
            {"oneOf": [ref("Frame"), ref("Error")]},
            "One server-sent event. Its data is a frame, or an error, which is then the last. `id` and `retry` are "
            "there for a client that accepts `text/event-stream`, as is an event without data at the beginning.",
        ),
        "Alive": object_of({"status": const("ok")}),
        "Ready": object_of(health),
    }


def stream_event(data: Node, description: str, *, named: bool = False) -> Node:
    """Return the schema of a server-sent event whose data is JSON, by its fields."""
    event = {"event": STRING} if named else {"event": const("message")}
    return {
        "description": description,
        "type": "object",
        "properties": {
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
            "id": described(STRING, "The answer's id, a dot, and the event's number: what Last-Event-ID sends back."),
            "retry": COUNT,
            **event,
        },
    }
