"""The shapes of /v1/chat/completions."""

from gateway.docs.json_schema import COUNT, STRING, Node, array_of, const, described, enum, nullable, object_of, ref
from gateway.docs.openai.requests import MODEL
from gateway.docs.schemas import stream_event

ESTIMATED = described(const(True), "There when the upstream didn't count, so that these are estimates.")
_NULL: Node = {"type": "null"}
_FINISH = ["stop", "length", "content_filter"]
_HEAD: dict[str, Node] = {"id": STRING, "created": COUNT, "model": MODEL, "system_fingerprint": _NULL}


def completion_schemas() -> dict[str, Node]:
    """All of them, by name."""
    usage = dict.fromkeys(["prompt_tokens", "completion_tokens", "total_tokens"], COUNT) | {"estimated": ESTIMATED}
    return {
        "Usage": object_of(usage, optional=["estimated"], description="Tokens, as the upstream counted them."),
        "Completion": _completion(),
        "Chunk": _chunk(),
        "ChunkEvent": stream_event(
            {"oneOf": [ref("Chunk"), ref("ApiError")]},
            "One server-sent event. Its data is a chunk; the last one's is `[DONE]`. An answer that breaks off "
            "ends with an error instead.",
        ),
    }


def _cited() -> Node:
    citation = object_of({"start_index": COUNT, "end_index": COUNT, "title": STRING, "url": STRING})
    return array_of(object_of({"type": const("url_citation"), "url_citation": citation}))


def _completion() -> Node:
    message = object_of({"role": const("assistant"), "content": STRING, "refusal": _NULL, "annotations": _cited()})
    choice = {"index": const(0), "message": message, "logprobs": _NULL, "finish_reason": enum(*_FINISH)}
    rest = {"object": const("chat.completion"), "choices": array_of(object_of(choice)), "usage": ref("Usage")}
    return object_of(_HEAD | rest)


def _chunk() -> Node:
    parts: dict[str, Node] = {"role": const("assistant"), "content": STRING, "annotations": _cited()}
    delta = object_of(parts, optional=list(parts))
    choice = {"index": const(0), "delta": delta, "logprobs": _NULL, "finish_reason": enum(*_FINISH, None)}
    usage = described(nullable(ref("Usage")), "With `include_usage`: null but in the last chunk, which has no choice.")
    rest = {"object": const("chat.completion.chunk"), "choices": array_of(object_of(choice)), "usage": usage}
    return object_of(_HEAD | rest, optional=["usage"])
