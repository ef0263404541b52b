"""The shapes of /v1/chat/completions."""

from gateway.docs.openai.requests import MODEL
from gateway.docs.schemas import stream_event
from gateway.docs.shapes import COUNT, STRING, Node, many, maybe, one_of, only, record, ref, told

ESTIMATED = told(only(True), "There when the upstream didn't count, so that these are estimates.")
_NULL: Node = {"type": "null"}
_FINISH = ["stop", "length", "content_filter"]
_HEAD: dict[str, Node] = {"id": STRING, "created": COUNT, "model": MODEL, "system_fingerprint": _NULL}


def completions() -> dict[str, Node]:
    """All of them, by name."""
    usage = dict.fromkeys(["prompt_tokens", "completion_tokens", "total_tokens"], COUNT) | {"estimated": ESTIMATED}
    return {
        "Usage": record(usage, optional=["estimated"], description="Tokens, as the upstream counted them."),
        "Completion": _completion(),
        "Chunk": _chunk(),
        "ChunkEvent": stream_event(
            {"oneOf": [ref("Chunk"), ref("ApiError")]},
            "One server-sent event. Its data is a chunk; the last one's is `[DONE]`. An answer that breaks off "
            "ends with an error instead.",
        ),
    }


def _cited() -> Node:
    citation = record({"start_index": COUNT, "end_index": COUNT, "title": STRING, "url": STRING})
    return many(record({"type": only("url_citation"), "url_citation": citation}))


def _completion() -> Node:
    message = record({"role": only("assistant"), "content": STRING, "refusal": _NULL, "annotations": _cited()})
    choice = {"index": only(0), "message": message, "logprobs": _NULL, "finish_reason": one_of(*_FINISH)}
    rest = {"object": only("chat.completion"), "choices": many(record(choice)), "usage": ref("Usage")}
    return record(_HEAD | rest)


def _chunk() -> Node:
    parts: dict[str, Node] = {"role": only("assistant"), "content": STRING, "annotations": _cited()}
    delta = record(parts, optional=list(parts))
    choice = {"index": only(0), "delta": delta, "logprobs": _NULL, "finish_reason": one_of(*_FINISH, None)}
    usage = told(maybe(ref("Usage")), "With `include_usage`: null but in the last chunk, which has no choice.")
    rest = {"object": only("chat.completion.chunk"), "choices": many(record(choice)), "usage": usage}
    return record(_HEAD | rest, optional=["usage"])
