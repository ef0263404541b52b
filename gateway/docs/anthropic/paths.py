"""The Anthropic API: /v1/messages."""

from gateway.docs import headers
from gateway.docs.anthropic.error_responses import references
from gateway.docs.json_schema import ANSWER, Node, ref
from gateway.http.paths import MESSAGES

_TAG = "Anthropic"
_ASKED = {"model": "bing-balanced", "messages": [{"role": "user", "content": "hello"}]}
_TOKENS = {
    "input_tokens": 2,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 2,
    "estimated": True,
}
_MESSAGE = {
    "id": f"msg_{ANSWER}",
    "type": "message",
    "role": "assistant",
    "model": "bing-balanced",
    "content": [{"type": "text", "text": "Hello!"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": _TOKENS,
}
_EVENT = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello!"}}'
_SENT = ("X-Request-ID", "traceparent", "anthropic-version", "anthropic-beta")
_ANSWERED = (*headers.ANSWER_HEADERS, "Request-ID", "X-Ignored-Parameters")


def paths() -> dict[str, Node]:
    """Return the paths with their operations."""
    return {MESSAGES: {"post": _create()}, f"{MESSAGES}/count_tokens": {"post": _count()}}


def _create() -> Node:
    events = {"schema": ref("MessageEvent"), "example": {"event": "content_block_delta", "data": _EVENT}}
    content = {"application/json": {"schema": ref("MessageObject"), "example": _MESSAGE}, "text/event-stream": events}
    sent = [*headers.QUESTION_HEADERS, "X-Conversation-ID", *headers.PROMPT_HEADERS, "Last-Event-ID", "Accept"]
    return {
        "operationId": "createMessage",
        "tags": [_TAG],
        "summary": "Create a message",
        "description": "A question continues the conversation that has all of its messages up to the last answer. "
        "An answer with `tool_use` continues with the results, in the next message. "
        "`x-should-retry` of an error is true when another try may succeed.",
        "parameters": headers.parameter_refs(*dict.fromkeys((*sent, *_SENT))),
        "requestBody": _body("MessageRequest", {**_ASKED, "max_tokens": 1024}),
        "responses": _success("Success.", content, *_ANSWERED)
        | references(400, 401, 403, 404, 408, 413, 414, 415, 421, 422, 429, 431, 500, 503, 504, 529),
    }


def _count() -> Node:
    content = {"application/json": {"schema": ref("TokenCount"), "example": {"input_tokens": 2}}}
    return {
        "operationId": "countTokens",
        "tags": [_TAG],
        "summary": "Count the tokens of a question",
        "description": "Nothing is asked.",
        "parameters": headers.parameter_refs(*_SENT),
        "requestBody": _body("CountedRequest", _ASKED),
        "responses": _success("The number of tokens.", content, "X-Request-ID", "Request-ID")
        | references(400, 401, 403, 404, 408, 413, 414, 415, 421, 431, 503, 529),
    }


def _success(description: str, content: Node, *sent: str) -> Node:
    return {"200": {"description": description, "headers": headers.header_refs(*sent), "content": content}}


def _body(schema: str, example: Node) -> Node:
    return {"required": True, "content": {"application/json": {"schema": ref(schema), "example": example}}}
