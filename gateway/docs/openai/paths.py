"""The OpenAI API: /v1."""

from typing import Any

from gateway.docs import headers
from gateway.docs.anthropic.error_responses import faults_of_both
from gateway.docs.json_schema import ANSWER, STRING, Node, enum, named_examples, ref
from gateway.docs.openai.error_responses import references
from gateway.docs.schemas import PICTURES
from wire.model_table import STYLES

_MODEL = {"id": "bing-balanced", "object": "model", "created": 1677715200, "owned_by": "bing"}
_MODEL_INFO = {
    "type": "model",
    "id": "bing-balanced",
    "display_name": "bing-balanced",
    "created_at": "2023-03-02T00:00:00Z",
}
_VERSION = headers.parameter_refs("anthropic-version")
_BOTH = "With `anthropic-version` in the shape of the Anthropic API."
_PAGES = [
    headers.query_parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20},
        "With `anthropic-version`: how many models a page has.",
    ),
    headers.query_parameter("after_id", STRING, "With `anthropic-version`: the last model of the page before."),
    headers.query_parameter("before_id", STRING, "With `anthropic-version`: the first model of the page behind."),
]
_NAMED = headers.path_parameter("response", "The response's id.", f"resp_{ANSWER}")
_CHUNK = f"""{{"id":"chatcmpl-{ANSWER}","object":"chat.completion.chunk","created":1704164645,"model":"bing-balanced",\
"system_fingerprint":null,"choices":[{{"index":0,"delta":{{"content":"Hello!"}},"logprobs":null,"finish_reason":null}}]}}"""
_EVENT = f"""{{"item_id":"msg_{ANSWER}_0","output_index":0,"content_index":0,"delta":"Hello!","logprobs":[],\
"type":"response.output_text.delta","sequence_number":4}}"""
_DELETED = {"id": f"resp_{ANSWER}", "object": "response", "deleted": True}
_ITEM = {
    "id": f"msg_{ANSWER}_in0",
    "type": "message",
    "role": "user",
    "status": "completed",
    "content": [{"type": "input_text", "text": "hello"}],
}
_INPUT = {"object": "list", "data": [_ITEM], "first_id": _ITEM["id"], "last_id": _ITEM["id"], "has_more": False}
_COMPLETION = {
    "id": f"chatcmpl-{ANSWER}",
    "object": "chat.completion",
    "created": 1704164645,
    "model": "bing-balanced",
    "system_fingerprint": None,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4, "estimated": True},
}
_TEXT_COMPLETION: dict[str, Any] = {
    "id": f"cmpl-{ANSWER}",
    "object": "text_completion",
    "created": 1704164645,
    "model": "bing-balanced",
    "system_fingerprint": None,
    "choices": [{"text": "Hello!", "index": 0, "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4, "estimated": True},
}
_TEXT_CHUNK = f"""{{"id":"cmpl-{ANSWER}","object":"text_completion","created":1704164645,"model":"bing-balanced",\
"system_fingerprint":null,"choices":[{{"text":"Hello!","index":0,"logprobs":null,"finish_reason":null}}]}}"""
_RESPONSE: dict[str, Any] = {
    "id": f"resp_{ANSWER}",
    "object": "response",
    "created_at": 1704164645,
    "status": "completed",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "model": "bing-balanced",
    "output": [
        {
            "id": f"msg_{ANSWER}_0",
            "type": "message",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello!", "annotations": [], "logprobs": []}],
        }
    ],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": None,
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": None,
    "top_p": None,
    "truncation": "disabled",
    "usage": {
        "input_tokens": 2,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 4,
        "estimated": True,
    },
    "metadata": {},
}
_CONVERSATIONS = (
    "A question continues the conversation that its client has named, or the one that has all of its messages up to "
    "the last answer; otherwise a new conversation gets them. "
)
_RETRIES = "`x-should-retry` of an error is true when another try may succeed."
_TOOLS = "An answer with `tool_calls` continues with their results, in messages of the role `tool`. "
_IGNORED = "Fields that aren't listed are ignored. "
_NAMED_IGNORED = (
    "Fields that aren't listed are ignored, and named in `X-Ignored-Parameters`; those of chat completions that have "
    "another name here are refused. "
)


def paths() -> dict[str, Node]:
    """Return the paths with their operations."""
    parts = headers.parameter_refs("X-Request-ID", "traceparent")
    return {
        "/v1/chat/completions": {"post": _completions()},
        "/v1/completions": {"post": _text_completions()},
        "/v1/embeddings": {"post": _embeddings()},
        "/v1/responses": {"post": _responses()},
        "/v1/responses/{response}": {
            "parameters": [_NAMED, *parts],
            "get": _response(),
            "delete": _operation(
                "deleteResponse",
                "Delete a response",
                "It is neither read nor continued any more; one that hasn't ended is stopped.",
                _json("DeletedResponse", _DELETED) | references(401, 403, 404, 421, 503),
            ),
        },
        "/v1/responses/{response}/input_items": {"parameters": [_NAMED, *parts], "get": _input_items()},
        "/v1/responses/{response}/cancel": {
            "parameters": [_NAMED, *parts],
            "post": _operation(
                "cancelResponse",
                "Cancel a response",
                "It ends at once with the text so far. One that has ended stays as it is.",
                _json("ResponseObject", _RESPONSE) | references(401, 403, 404, 421, 503),
            ),
        },
        "/v1/images/generations": {"post": _images()},
        "/v1/models": {"parameters": [*parts, *_VERSION], "get": _models()},
        "/v1/models/{model}": {
            "parameters": [
                headers.path_parameter("model", "The model's name.", next(iter(STYLES))),
                *parts,
                *_VERSION,
            ],
            "get": _operation(
                "model",
                "Retrieve a model",
                f"By its name, in which slashes may be as they are. 503: it was there within the last day. {_BOTH}",
                _either("Model", _MODEL, "ModelInfo", _MODEL_INFO) | faults_of_both(401, 403, 404, 421, 503, 529),
            ),
        },
    }


def _completions() -> Node:
    example = {"model": "bing-balanced", "messages": [{"role": "user", "content": "hello"}]}
    events = {"schema": ref("ChunkEvent"), "example": {"data": _CHUNK}}
    return _asking(
        "complete",
        "Create a chat completion",
        _CONVERSATIONS + _TOOLS + _RETRIES,
        _body("CompletionRequest", example),
        _json("CompletionObject", _COMPLETION, events),
    )


def _text_completions() -> Node:
    events = {"schema": ref("TextChunkEvent"), "example": {"data": _TEXT_CHUNK}}
    return _asking(
        "completeText",
        "Create a completion of a prompt",
        "The prompt is the only message of a chat, whose answer's text is the completion. " + _RETRIES,
        _body("TextCompletionRequest", {"model": "bing-balanced", "prompt": "hello"}),
        _json("TextCompletionObject", _TEXT_COMPLETION, events),
    )


def _embeddings() -> Node:
    data = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    operation = _asking(
        "embed",
        "Create embeddings",
        "The response is that of the model's server. " + _RETRIES,
        _body("EmbeddingRequest", {"model": "nomic-embed-text", "input": "hello"}),
        _json("EmbeddingList", {"object": "list", "data": data, "model": "nomic-embed-text", "usage": usage}),
    )
    return operation | {"parameters": headers.parameter_refs(*headers.QUESTION_HEADERS)}


def _responses() -> Node:
    example = {"model": "bing-balanced", "input": "hello"}
    events = {"schema": ref("ResponseEvent"), "example": {"event": "response.output_text.delta", "data": _EVENT}}
    return _asking(
        "respond",
        "Create a response",
        _CONVERSATIONS + _NAMED_IGNORED + _RETRIES,
        _body("ResponseRequest", example),
        _json("ResponseObject", _RESPONSE, events),
    )


def _images() -> Node:
    pictures = {"created": 1704164645, "data": [{"url": address} for address in PICTURES]}
    operation = _asking(
        "generate",
        "Create pictures for a prompt",
        _IGNORED + _RETRIES,
        _body("ImageRequest", {"prompt": "a red circle", "n": 2}),
        _json("ImageList", pictures),
    )
    return operation | {"parameters": headers.parameter_refs(*headers.QUESTION_HEADERS)}


def _response() -> Node:
    events = {"schema": ref("ResponseEvent"), "example": {"event": "response.output_text.delta", "data": _EVENT}}
    described = "With `stream=true` its events, from any place."
    responses = _json("ResponseObject", _RESPONSE, events) | references(400, 401, 403, 404, 421, 503)
    return _operation("response", "Retrieve a response", described, responses) | {
        "parameters": [
            headers.query_parameter("stream", enum("true", "false"), "Whether to stream its events."),
            headers.query_parameter(
                "starting_after",
                {"type": "integer", "minimum": 0, "maximum": 999_999_999},
                "The `sequence_number` of the last event that the client has.",
            ),
            *headers.parameter_refs("Last-Event-ID", "Accept"),
        ],
        "responses": responses,
    }


def _input_items() -> Node:
    described = "Its own, without that of the responses that it continues from."
    order = enum("asc", "desc")
    responses = _json("InputItemList", _INPUT) | references(400, 401, 403, 404, 421, 503)
    return _operation("inputItems", "List the input of a response", described, responses) | {
        "parameters": [
            headers.query_parameter("limit", {"type": "integer", "minimum": 1, "maximum": 100}, "20 without it."),
            headers.query_parameter("order", order, "`desc`, the last one first, without it."),
            headers.query_parameter("after", {"type": "string"}, "The item behind which the page begins."),
            headers.query_parameter("before", {"type": "string"}, "The item ahead of which the page ends."),
        ]
    }


def _models() -> Node:
    listed: dict[str, Any] = {"object": "list", "data": [_MODEL | {"id": name} for name in STYLES]}
    listed["data"].append(_MODEL | {"id": "gpt-4o", "owned_by": "openai"})
    ids = {"first_id": "bing-balanced", "last_id": "bing-balanced"}
    page = {"data": [_MODEL_INFO], "has_more": True, **ids}
    responses = _either("ModelListObject", listed, "ModelPage", page) | faults_of_both(400, 401, 403, 421, 503, 529)
    description = "One for each style, and those of servers, with their aliases, that can be asked now."
    return _operation("models", "List the models", f"{description} {_BOTH}", responses) | {"parameters": _PAGES}


def _either(schema: str, example: Node, other: str, other_example: Node) -> Node:
    """Return the success of an endpoint that two APIs share."""
    examples = named_examples(OpenAI=example, Anthropic=other_example)
    content = {"application/json": {"schema": {"anyOf": [ref(schema), ref(other)]}, "examples": examples}}
    sent = headers.header_refs(*headers.ANSWER_HEADERS, "Request-ID")
    return {"200": {"description": "Success.", "headers": sent, "content": content}}


def _asking(operation: str, summary: str, description: str, body: Node, responses: Node) -> Node:
    all_responses = responses | references(400, 401, 403, 404, 408, 413, 414, 415, 421, 422, 429, 431, 500, 503)
    responses["200"]["headers"] |= headers.header_refs("X-Ignored-Parameters")
    sent = headers.parameter_refs(
        *headers.QUESTION_HEADERS, "X-Conversation-ID", *headers.PROMPT_HEADERS, "Last-Event-ID", "Accept"
    )
    return _operation(operation, summary, description, all_responses) | {"parameters": sent, "requestBody": body}


def _operation(operation: str, summary: str, description: str, responses: Node) -> Node:
    return {
        "operationId": operation,
        "tags": ["OpenAI"],
        "summary": summary,
        "description": description,
        "responses": responses,
    }


def _body(schema: str, example: Node) -> Node:
    return {"required": True, "content": {"application/json": {"schema": ref(schema), "example": example}}}


def _json(schema: str, example: Node, events: Node | None = None) -> Node:
    content = {"application/json": {"schema": ref(schema), "example": example}}
    if events is not None:
        content["text/event-stream"] = events
    return {
        "200": {
            "description": "Success.",
            "headers": headers.header_refs(*headers.ANSWER_HEADERS),
            "content": content,
        }
    }
