"""The shapes of /v1/responses."""

from gateway.docs.openai.completions import ESTIMATED
from gateway.docs.openai.requests import MODEL
from gateway.docs.schemas import stream_event
from gateway.docs.shapes import BOOLEAN, COUNT, STRING, Node, many, maybe, one_of, only, record, ref, told

_NULL: Node = {"type": "null"}
_OBJECT: Node = {"type": "object"}
_NOTHING: Node = {"type": "array", "items": {}, "maxItems": 0}
_STATUSES = ["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
_WHERE: dict[str, Node] = {"item_id": STRING, "output_index": only(0), "content_index": only(0)}


def replies() -> dict[str, Node]:
    """All of them, by name."""
    part = {"type": only("output_text"), "text": STRING, "annotations": many(ref("Citation")), "logprobs": _NOTHING}
    item = {
        "id": STRING,
        "type": only("message"),
        "status": one_of("in_progress", "completed", "incomplete"),
        "role": only("assistant"),
        "content": many(ref("OutputText")),
    }
    cited = {"type": only("url_citation"), "start_index": COUNT, "end_index": COUNT, "url": STRING, "title": STRING}
    return {
        "Response": _response(),
        "OutputMessage": record(item),
        "OutputText": record(part),
        "Citation": record(cited, description="A source, and where in the text it stands."),
        "ResponseEventData": _event(),
        "ResponseEvent": stream_event(
            ref("ResponseEventData"), "One server-sent event, named by the `type` of its data.", named=True
        ),
    }


def _response() -> Node:
    head: dict[str, Node] = {
        "id": told(STRING, "`resp_` and the answer's id."),
        "object": only("response"),
        "created_at": COUNT,
        "status": one_of(*_STATUSES),
        "error": maybe(record({"code": STRING, "message": STRING})),
        "incomplete_details": maybe(record({"reason": one_of("max_output_tokens", "content_filter")})),
        "model": MODEL,
        "output": many(ref("OutputMessage")),
        "usage": maybe(_usage()),
    }
    echoed: dict[str, Node] = {
        "instructions": maybe(STRING),
        "previous_response_id": maybe(STRING),
        "store": BOOLEAN,
        "metadata": _OBJECT,
        "user": STRING,
        "conversation": {"type": "object", "properties": {"id": STRING}, "required": ["id"]},
    }
    always: dict[str, Node] = {
        **dict.fromkeys(["max_output_tokens", "temperature", "top_p"], _NULL),
        "parallel_tool_calls": only(False),
        "reasoning": record({"effort": _NULL, "summary": _NULL}),
        "text": record({"format": record({"type": only("text")})}),
        "tool_choice": only("auto"),
        "tools": _NOTHING,
        "truncation": only("disabled"),
    }
    return record(head | echoed | always, optional=["user", "conversation"])


def _usage() -> Node:
    counts = {
        "input_tokens": COUNT,
        "input_tokens_details": record({"cached_tokens": COUNT}),
        "output_tokens": COUNT,
        "output_tokens_details": record({"reasoning_tokens": COUNT}),
        "total_tokens": COUNT,
        "estimated": ESTIMATED,
    }
    return record(counts, optional=["estimated"])


def _event() -> Node:
    """The events, in the order in which they come."""
    whole: dict[str, Node] = {"response": ref("Response")}
    item: dict[str, Node] = {"output_index": only(0), "item": ref("OutputMessage")}
    part: dict[str, Node] = {**_WHERE, "part": ref("OutputText")}
    problem = {"message": STRING, "type": STRING, "param": maybe(STRING), "code": maybe(STRING)}
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
        "error": {"message": STRING, "param": maybe(STRING), "code": maybe(STRING), "error": record(problem)},
    }
    shapes = [record({"type": only(kind), "sequence_number": COUNT, **rest}) for kind, rest in events.items()]
    return {"description": "An event. A stream that breaks off ends with `error`.", "oneOf": shapes}
