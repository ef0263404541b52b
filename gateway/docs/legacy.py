"""The drop-in endpoints over HTTP: /api, /api_stream and /image."""

from collections.abc import Mapping
from typing import Any

from gateway.docs import headers
from gateway.docs.error_responses import THROTTLED, references
from gateway.docs.json_schema import ANSWER, TOKEN, Node, named_examples, object_of, ref
from gateway.docs.schemas import ANSWER_DATA, PICTURES, STYLES, error, success
from wire.reasons import Reason

_STYLE: Node = {"type": "string", "enum": STYLES, "description": "The style of the answer."}
_QUESTION: Node = {"type": "string", "minLength": 1, "description": "The question."}
_KEYWORD: Node = {
    "type": "string",
    "minLength": 1,
    "pattern": "^[A-Za-z]",
    "description": "What the pictures show; begins with a Latin letter.",
}
_ASK = {"style": _STYLE, "question": _QUESTION, "token": headers.TOKEN_FIELD}
_DRAW = {"keyword": _KEYWORD}
_ASKED = {"style": "balanced", "question": "hello"}
_DRAWN = {"keyword": "a red circle"}
_BODIES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")
_ON_200 = (
    "Clients of this API read codes 110 (the request is at fault) and 120 (unknown token, or all accounts are out of "
    "quota) from the body of a status 200."
)
_BODY = "The fields come as JSON, as a form or as multipart; or in the query; those of the body take precedence."

STREAM_EVENT = {
    "event": "message",
    "id": f"{ANSWER}.1",
    "data": '{"code": 200, "message": "success", "data": {"answer": "Hello!", "urls": [], "done": false, '
    f'"reset": false, "token": "{TOKEN}"}}}}',
}
STREAM = f"""```text
data: {{"code": 200, "message": "success", "data": {{"answer": "", "urls": [], "done": false, …}}}}
retry: 1000
id: {ANSWER}.0

data: {{"code": 200, "message": "success", "data": {{"answer": "Hello!", "urls": [], "done": false, …}}}}
id: {ANSWER}.1

data: {{"code": 200, "message": "success", "data": {{"answer": "", "urls": [], "done": false, …}}}}
id: {ANSWER}.1

data: {{"code": 200, "message": "success", "data": {{"answer": "Hello!", "urls": [], "done": true, …}}}}
id: {ANSWER}.2

```"""


def error_examples() -> Node:
    """Return examples of errors that are sent with status 200."""
    return named_examples(
        field_is_missing=error(Reason.REQUEST_EMPTY),
        no_such_style=error(Reason.REQUEST_STYLE),
        not_an_object=error(Reason.REQUEST_FORMAT),
        unknown_token=error(Reason.TOKEN_UNKNOWN),
        out_of_quota=error(THROTTLED),
    )


def paths() -> dict[str, Node]:
    """Return the paths with their operations."""
    whole, pictures = _answered("Answer", named_examples(answer=success(ANSWER_DATA)) | error_examples()), _pictures()
    return {
        "/api": {
            "get": _get("ask", "Ask and get the whole answer", _ASK, whole),
            "post": _post("askInBody", "Ask and get the whole answer", _ASK, _ASKED, whole),
        },
        "/api_stream": {
            "get": _get("stream", "Ask and stream the answer", _ASK, _streamed(), streaming=True),
            "post": _post("streamInBody", "Ask and stream the answer", _ASK, _ASKED, _streamed(), streaming=True),
        },
        "/image": {
            "get": _get("draw", "Create pictures for a keyword", _DRAW, pictures),
            "post": _post("drawInBody", "Create pictures for a keyword", _DRAW, _DRAWN, pictures),
        },
    }


def _get(operation: str, summary: str, fields: Mapping[str, Node], responses: Node, streaming: bool = False) -> Node:
    asked = [
        headers.query_parameter(name, shape, shape["description"], required=name != "token") | _example(name)
        for name, shape in fields.items()
    ]
    return _operation(operation, summary, _ON_200, streaming) | {
        "parameters": [*asked, *_sent(streaming)],
        "responses": responses | references(401, 403, 404, 414, 421, 422, 429, 431, 500, 503),
    }


def _example(name: str) -> Node:
    """Return the example of a field, if it has one."""
    examples = _ASKED | _DRAWN
    return {"example": examples[name]} if name in examples else {}


def _post(
    operation: str,
    summary: str,
    fields: Mapping[str, Node],
    example: Mapping[str, str],
    responses: Node,
    streaming: bool = False,
) -> Node:
    body = {"schema": object_of(fields, optional=["token"]) | {"additionalProperties": True}, "example": dict(example)}
    return _operation(operation, summary, f"{_BODY} {_ON_200}", streaming) | {
        "parameters": _sent(streaming),
        "requestBody": {"required": True, "content": dict.fromkeys(_BODIES, body)},
        "responses": responses | references(401, 403, 404, 408, 413, 414, 415, 421, 422, 429, 431, 500, 503),
    }


def _operation(operation: str, summary: str, description: str, streaming: bool) -> dict[str, Any]:
    if streaming:
        description += (
            " Errors after the stream has begun are its last event. A client that accepts `text/event-stream` gets ids "
            "and may come back with `Last-Event-ID` at any gateway: the stream continues, and after its end the answer "
            "is 204."
        )
    return {"operationId": operation, "tags": ["Questions"], "summary": summary, "description": description}


def _sent(streaming: bool) -> list[Node]:
    return headers.parameter_refs(
        *headers.QUESTION_HEADERS, "Accept-Language", *(["Last-Event-ID", "Accept"] if streaming else [])
    )


def _answered(schema: str, examples: Node) -> Node:
    content = {"application/json": {"schema": {"oneOf": [ref(schema), ref("Error")]}, "examples": examples}}
    described = "What was asked for, or a refusal with code 110 or 120."
    return {"200": {"description": described, "headers": _headers(), "content": content}}


def _pictures() -> Node:
    latin = named_examples(no_Latin_letter=error(Reason.REQUEST_KEYWORD))
    return _answered("Pictures", named_examples(pictures=success(PICTURES)) | error_examples() | latin)


def _streamed() -> Node:
    events = {"schema": ref("StreamEvent"), "example": STREAM_EVENT}
    refusal = {"schema": ref("Error"), "examples": error_examples()}
    return {
        "200": {
            "description": f"The events, or a refusal with code 110 or 120 as JSON. On the wire:\n\n{STREAM}",
            "headers": _headers(),
            "content": {"text/event-stream": events, "application/json": refusal},
        },
        "204": {
            "description": "With Last-Event-ID: nothing comes any more. An EventSource stops then.",
            "headers": headers.header_refs("X-Request-ID"),
        },
    }


def _headers() -> Node:
    return headers.header_refs(*headers.ANSWER_HEADERS, "Retry-After")
