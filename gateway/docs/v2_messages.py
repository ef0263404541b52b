"""The messages of `bing-chat.v2`."""

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
    nullable,
    object_of,
    ref,
)
from gateway.docs.schemas import STYLES
from gateway.http.fields import MAX_WAIT
from wire.reasons import Reason

_ID: Node = described(
    {"type": "string", "minLength": 1, "maxLength": 64}, "A name of the client's own, which comes back in each frame."
)
_ANSWER = described({"type": "string", "pattern": r"^s\d{1,4}-[0-9a-f]{32}$"}, "The answer's id.")
_SEQ = described(
    {"type": "integer", "minimum": 1},
    "The event's place in the answer: one that the client has already can be ignored.",
)
_ZERO = described(const(0), "No event of the answer.")
_PROVIDER = described(STRING, "Who answers.")
_TEXT = described(STRING, "New text.")
_WHOLE = described(STRING, "The whole text.")
_PROBLEM: dict[str, Node] = {
    "code": {"type": "integer"},
    "message": STRING,
    "reason": described(STRING, "What went wrong, finer than the code."),
    "retry_after": described(nullable(COUNT), "When to come back, in seconds."),
}


def request_schemas() -> dict[str, Node]:
    """Return the schemas of the messages of a client, by name."""
    sent = {
        "Ask": (
            {
                "type": const("ask"),
                "id": _ID,
                "style": {"type": "string", "enum": STYLES},
                "question": {"type": "string", "minLength": 1},
                "token": described(
                    nullable(STRING), "Without one a new conversation begins, which remains after the socket."
                ),
                "idempotency_key": described(
                    nullable({"type": "string", "maxLength": 255}), "Makes it safe to send again."
                ),
                "wait": described(
                    {"type": "number", "minimum": 0, "maximum": MAX_WAIT, "default": 0},
                    "For how many seconds to wait for an account's return rather than be refused.",
                ),
            },
            ["token", "idempotency_key", "wait"],
        ),
        "Resume": (
            {
                "type": const("resume"),
                "id": _ID,
                "answer": _ANSWER,
                "after": described({**COUNT, "default": 0}, "The `seq` of the last event that the client has."),
            },
            ["id", "after"],
        ),
        "Stop": ({"type": const("stop"), "id": _ID, "answer": _ANSWER}, ["id"]),
    }
    return {
        name: object_of(fields, optional=optional) | {"additionalProperties": True}
        for name, (fields, optional) in sent.items()
    }


def frame_schemas() -> dict[str, Node]:
    """Return the schemas of the frames that a client gets, by name."""
    return {
        "Accepted": _frame("accepted", {"seq": _ZERO, "token": STRING}),
        "Queued": _frame("queued", {"seq": _ZERO, "position": COUNT, "wait": COUNT}),
        "Delta": _frame("delta", {"seq": _SEQ, "text": _TEXT, "provider": _PROVIDER}, "provider"),
        "Replace": _frame("replace", {"seq": _SEQ, "text": _WHOLE, "provider": _PROVIDER}, "provider"),
        "Final": _frame("final", _final(), "images", "provider"),
        "Failed": _frame(
            "failed",
            {"seq": _SEQ, **_PROBLEM, "text": STRING, "reset": BOOLEAN, "provider": _PROVIDER},
            "provider",
        ),
        "Refused": _frame("failed", _PROBLEM, "answer"),
    }


def _final() -> dict[str, Node]:
    return {
        "seq": _SEQ,
        "text": _WHOLE,
        "urls": array_of(ref("Source")),
        "suggestions": array_of(STRING),
        "turns": nullable(ref("Turns")),
        "reset": described(BOOLEAN, "The conversation was not continued."),
        "stopped": described(BOOLEAN, "It was stopped."),
        "images": described(array_of(STRING), "The addresses of pictures, for an image request."),
        "provider": _PROVIDER,
    }


def _frame(kind: str, rest: dict[str, Node], *optional: str) -> Node:
    return object_of({"type": const(kind), "id": _ID, "answer": _ANSWER, **rest}, optional=["id", *optional])


_HEAD = {"id": "1", "answer": ANSWER}
# One of each, by name.
EXAMPLES: dict[str, Node] = {
    "Ask": {"type": "ask", "id": "1", "style": "balanced", "question": "hello", "idempotency_key": TOKEN},
    "Resume": {"type": "resume", "id": "1", "answer": ANSWER, "after": 3},
    "Stop": {"type": "stop", "id": "1", "answer": ANSWER},
    "Accepted": {"type": "accepted", **_HEAD, "seq": 0, "token": TOKEN},
    "Queued": {"type": "queued", **_HEAD, "seq": 0, "position": 3, "wait": 12},
    "Delta": {"type": "delta", **_HEAD, "seq": 1, "text": "Hello!", "provider": "edgegpt"},
    "Replace": {"type": "replace", **_HEAD, "seq": 2, "text": "Good day!"},
    "Final": {
        "type": "final",
        **_HEAD,
        "seq": 3,
        "text": "Good day!",
        "urls": [{"title": "Bing", "url": "https://www.bing.com/"}],
        "suggestions": ["What is a stream?"],
        "turns": {"used": 1, "limit": 20},
        "reset": False,
        "stopped": False,
        "provider": "edgegpt",
    },
    "Failed": {
        "type": "failed",
        **_HEAD,
        "seq": 2,
        "code": 500,
        "message": "等待上游回答超时",
        "reason": Reason.TIMEOUT_FIRST,
        "text": "",
        "reset": True,
        "retry_after": None,
    },
    "Refused": {
        "type": "failed",
        "id": "1",
        "code": 120,
        "message": "token不存在",
        "reason": Reason.TOKEN_UNKNOWN,
        "retry_after": None,
    },
}
SUMMARIES = {
    "Ask": "Ask a question.",
    "Resume": "Resume an answer. One that has ended by then sends its end again.",
    "Stop": "End an answer with the text so far. It is answered by that answer's end.",
    "Accepted": "The question is taken, or the answer to resume is there.",
    "Queued": "It waits: 1 is the next one, 0 one that waits for an account. Sent again when that changes.",
    "Delta": "New text.",
    "Replace": "The upstream took its text back: this is all of it so far.",
    "Final": "The end: the whole answer.",
    "Failed": "The end: the answer failed, after `text`.",
    "Refused": "A message was refused. With `answer`, this gateway stops following that answer, which may continue.",
}
