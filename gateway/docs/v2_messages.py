"""The messages of `bing-chat.v2`."""

from gateway.docs.json_schema import ANSWER, TOKEN, Node, reply_schemas, request_schemas
from gateway.v2 import frames, messages
from wire.messages import TurnCount
from wire.reasons import Reason

# The schemas of the messages of a client, by name.
REQUESTS = request_schemas(Ask=messages.AskFields, Resume=messages.ResumeFields, Stop=messages.StopFields)
# The schemas of the frames that a client gets, and of what they contain, by name.
FRAMES = reply_schemas(
    Accepted=frames.AcceptedFrame,
    Queued=frames.QueuedFrame,
    Delta=frames.DeltaFrame,
    Pieces=frames.PiecesFrame,
    Replace=frames.ReplaceFrame,
    Final=frames.FinalFrame,
    Failed=frames.FailedFrame,
    Refused=frames.RefusedFrame,
    Turns=TurnCount,
)

_HEAD = {"id": "1", "answer": ANSWER}
# One of each, by name.
EXAMPLES: dict[str, Node] = {
    "Ask": {"type": "ask", "id": "1", "style": "balanced", "question": "hello", "idempotency_key": TOKEN},
    "Resume": {"type": "resume", "id": "1", "answer": ANSWER, "after": 3},
    "Stop": {"type": "stop", "id": "1", "answer": ANSWER},
    "Accepted": {"type": "accepted", **_HEAD, "seq": 0, "token": TOKEN},
    "Queued": {"type": "queued", **_HEAD, "seq": 0, "position": 3, "wait": 12},
    "Delta": {"type": "delta", **_HEAD, "seq": 1, "text": "Hello!", "provider": "edgegpt"},
    "Pieces": {
        "type": "pieces",
        **_HEAD,
        "seq": 1,
        "pieces": [{"block": 0, "kind": "reasoning", "text": "They greet me."}],
        "provider": "openai",
        "model": "gpt-4o",
    },
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
