"""Answers by their id."""

from gateway.docs import headers
from gateway.docs.error_responses import references
from gateway.docs.json_schema import ANSWER, Node, named_examples, ref
from gateway.docs.legacy import STREAM_EVENT
from gateway.docs.schemas import PROGRESS, error, success
from gateway.http.pictures import ROUTE as PICTURE_ROUTE
from wire.pictures import MEDIA_TYPES
from wire.reasons import Reason

_NAMED = headers.path_parameter("answer", "The answer's id, from X-Answer-ID.", ANSWER)
_PICTURE = headers.path_parameter("picture", "The picture's id, from its address.", f"s0-{'0a' * 24}")
_QUEUED = PROGRESS | {
    "state": "queued",
    "position": 3,
    "wait": 12,
    "seq": 0,
    "text": "",
    "urls": [],
    "suggestions": [],
    "turns": None,
    "provider": None,
}
_THOUGHT = PROGRESS | {
    "text": "",
    "provider": "openai",
    "model": "gpt-4o",
    "reasoning": "They want to know the weather, so I look it up.",
    "tool_calls": [{"id": "call_1", "name": "get_weather", "arguments": '{"city": "Rome"}'}],
    "usage": {"prompt": 61, "completion": 27, "cached": 0, "cache_written": 0, "reasoning": 12},
}
_FAILED = PROGRESS | {
    "state": "failed",
    "reset": True,
    "error": {"code": 500, "message": "等待上游回答超时", "reason": Reason.TIMEOUT_FIRST, "retry_after": None},
}


def paths() -> dict[str, Node]:
    """Return the paths with their operations."""
    return {
        "/answers/{answer}": {
            "parameters": [_NAMED, *headers.parameter_refs("X-Request-ID", "traceparent", "Accept-Language")],
            "get": _operation(
                "answer", "Get the state of an answer", "Its state and its text so far, at any gateway.", _progress()
            ),
            "delete": _operation(
                "stopAnswer",
                "Stop an answer",
                "It ends at once with the text so far; a question that still waits is never asked. One that has ended "
                "stays as it is. The token's next question begins a fresh conversation.",
                _progress(),
            ),
        },
        "/answers/{answer}/stream": {
            "parameters": [
                _NAMED,
                *headers.parameter_refs("X-Request-ID", "traceparent", "Accept-Language", "Last-Event-ID"),
            ],
            "get": _stream(),
        },
        PICTURE_ROUTE: {
            "parameters": [_PICTURE, *headers.parameter_refs("X-Request-ID", "traceparent", "Accept-Language")],
            "get": _picture(),
        },
    }


def _picture() -> Node:
    media = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES}
    answer_responses = {
        "200": {"description": "The picture.", "headers": headers.header_refs("X-Request-ID"), "content": media},
    }
    return {
        "operationId": "picture",
        "tags": ["Answers"],
        "summary": "Get a picture that an upstream sent without an address",
        "description": "At the address that an answer contains, for as long as an answer is kept. Needs no API key.",
        "security": [],
        "responses": answer_responses | references(403, 404, 421, 503),
    }


def _operation(operation: str, summary: str, description: str, responses: Node) -> Node:
    return {
        "operationId": operation,
        "tags": ["Answers"],
        "summary": summary,
        "description": description,
        "responses": responses | references(401, 403, 404, 421, 503),
    }


def _progress() -> Node:
    examples = named_examples(
        done=success(PROGRESS), queued=success(_QUEUED), calls=success(_THOUGHT), failed=success(_FAILED)
    )
    return {
        "200": {
            "description": "State and text so far.",
            "headers": headers.header_refs("X-Request-ID", "X-Answer-ID"),
            "content": {"application/json": {"schema": ref("Progress"), "examples": examples}},
        }
    }


def _stream() -> Node:
    refusal = {"schema": ref("Error"), "examples": named_examples(not_a_number=error(Reason.REQUEST_FORMAT))}
    responses = {
        "200": {
            "description": "The events after `after`, with ids; or a refusal with code 110.",
            "headers": headers.header_refs(*headers.ANSWER_HEADERS),
            "content": {
                "text/event-stream": {"schema": ref("StreamEvent"), "example": STREAM_EVENT},
                "application/json": refusal,
            },
        },
        "204": {
            "description": "Nothing comes after that event.",
            "headers": headers.header_refs("X-Request-ID"),
        },
    }
    after = headers.query_parameter(
        "after",
        {"type": "integer", "minimum": 0, "maximum": 999_999_999, "default": 0},
        "The number of the last event that the client has; Last-Event-ID goes before it.",
    )
    described = "As on /api_stream, from any place in the answer."
    operation = _operation("followAnswer", "Resume the stream of an answer", described, responses)
    return operation | {"parameters": [after]}
