"""The shapes of /v1/responses."""

from gateway.docs.json_schema import (
    BOOLEAN,
    COUNT,
    STRING,
    Node,
    array_of,
    const,
    described,
    enum,
    nullable,
    object_of,
    ref,
)
from gateway.docs.openai.completions import ESTIMATED
from gateway.docs.openai.requests import MODEL
from gateway.docs.schemas import stream_event

_NULL: Node = {"type": "null"}
_OBJECT: Node = {"type": "object"}
_NOTHING: Node = {"type": "array", "items": {}, "maxItems": 0}
_STATUSES = ["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
_WHERE: dict[str, Node] = {"item_id": STRING, "output_index": const(0), "content_index": const(0)}


def response_schemas() -> dict[str, Node]:
    """All of them, by name."""
    part = {
        "type": const("output_text"),
        "text": STRING,
        "annotations": array_of(ref("Citation")),
        "logprobs": _NOTHING,
    }
    item = {
        "id": STRING,
        "type": const("message"),
        "status": enum("in_progress", "completed", "incomplete"),
        "role": const("assistant"),
        "content": array_of(ref("OutputText")),
    }
    cited = {"type": const("url_citation"), "start_index": COUNT, "end_index": COUNT, "url": STRING, "title": STRING}
    return {
        "Response": _response(),
        "OutputMessage": object_of(item),
        "OutputText": object_of(part),
        "Citation": object_of(cited, description="A source, and where in the text it stands."),
        "ResponseEventData": _event(),
        "ResponseEvent": stream_event(
            ref("ResponseEventData"), "One server-sent event, named by the `type` of its data.", named=True
        ),
    }


def _response() -> Node:
    head: dict[str, Node] = {
        "id": described(STRING, "`resp_` and the answer's id."),
        "object": const("response"),
        "created_at": COUNT,
        "status": enum(*_STATUSES),
        "error": nullable(object_of({"code": STRING, "message": STRING})),
        "incomplete_details": nullable(object_of({"reason": enum("max_output_tokens", "content_filter")})),
        "model": MODEL,
        "output": array_of(ref("OutputMessage")),
        "usage": nullable(_usage()),
    }
    echoed: dict[str, Node] = {
        "instructions": nullable(STRING),
        "previous_response_id": nullable(STRING),
        "store": BOOLEAN,
        "metadata": _OBJECT,
        "user": STRING,
        "conversation": {"type": "object", "properties": {"id": STRING}, "required": ["id"]},
    }
    always: dict[str, Node] = {
        **dict.fromkeys(["max_output_tokens", "temperature", "top_p"], _NULL),
        "parallel_tool_calls": const(False),
        "reasoning": object_of({"effort": _NULL, "summary": _NULL}),
        "text": object_of({"format": object_of({"type": const("text")})}),
        "tool_choice": const("auto"),
        "tools": _NOTHING,
        "truncation": const("disabled"),
    }
    return object_of(head | echoed | always, optional=["user", "conversation"])


def _usage() -> Node:
    counts = {
        "input_tokens": COUNT,
        "input_tokens_details": object_of({"cached_tokens": COUNT}),
        "output_tokens": COUNT,
        "output_tokens_details": object_of({"reasoning_tokens": COUNT}),
        "total_tokens": COUNT,
        "estimated": ESTIMATED,
    }
    return object_of(counts, optional=["estimated"])


def _event() -> Node:
    """The events, in the order in which they come."""
    whole: dict[str, Node] = {"response": ref("Response")}
    item: dict[str, Node] = {"output_index": const(0), "item": ref("OutputMessage")}
    part: dict[str, Node] = {**_WHERE, "part": ref("OutputText")}
    problem = {"message": STRING, "type": STRING, "param": nullable(STRING), "code": nullable(STRING)}
    events: dict[str, dict[str, Node]] = {
        "response.created": whole,
        "response.in_progress": whole,
        "response.output_item.added": item,
        "response.content_part.added": part,
        "response.output_text.delta": {**_WHERE, "delta": STRING, "logprobs": _NOTHING},
        "response.output_text.annotation.added": {**_WHERE, "annotation_index": COUNT, "annotation": ref("Citation")},
        "response.output_text.done": {**_WHERE, "text": STRING, "logprobs": _NOTHING},
        "response.content_part.done": part,
        "response.output_item.done": item,
        "response.completed": whole,
        "response.incomplete": whole,
        "response.failed": whole,
        "error": {"message": STRING, "param": nullable(STRING), "code": nullable(STRING), "error": object_of(problem)},
    }
    shapes = [object_of({"type": const(kind), "sequence_number": COUNT, **rest}) for kind, rest in events.items()]
    return {"description": "An event. A stream that breaks off ends with `error`.", "oneOf": shapes}
