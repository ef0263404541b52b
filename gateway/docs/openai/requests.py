"""The schemas of the requests under /v1. Other fields are ignored."""

from collections.abc import Mapping

from gateway.docs.json_schema import (
    BOOLEAN,
    STRING,
    Node,
    array_of,
    const,
    described,
    enum,
    nullable,
    object_of,
    one_of_schemas,
    ref,
)
from gateway.openai.models import STYLES
from gateway.openai.validation import WITHOUT_EFFECT

MODEL: Node = {"type": "string", "enum": list(STYLES), "description": "One for each style."}
_NULL: Node = {"type": "null"}
_TYPES: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object"}
_ROLES = ["system", "developer", "user", "assistant", "tool", "function"]
_FILLED: Node = {"type": "string", "minLength": 1}


def request_schemas() -> dict[str, Node]:
    """Return all of them, by name, and the schemas that they refer to."""
    return {
        "CompletionRequest": _open(
            {"model": MODEL, "messages": _messages()},
            {**_completion(), **_no_tools(), **_conversation(), **_unheeded()},
        ),
        "ResponseRequest": _open(
            {"model": MODEL, "input": one_of_schemas(_FILLED, _messages())},
            {**_response(), **_no_tools(), **_conversation(), **_unheeded()},
        ),
        "ImageRequest": _open({"prompt": _FILLED}, _image()),
        "Message": _message(),
    }


def _open(required: dict[str, Node], optional: dict[str, Node]) -> Node:
    return object_of(required | optional, optional=list(optional)) | {"additionalProperties": True}


def _completion() -> dict[str, Node]:
    stops = one_of_schemas(STRING, {**array_of(STRING), "maxItems": 4}, _NULL)
    return {
        "stream_options": nullable({"type": "object", "properties": {"include_usage": nullable(BOOLEAN)}}),
        "stop": described(stops, "The answer ends before any of these."),
        "n": _unsupported(enum(1, None)),
        "response_format": _unsupported(enum({"type": "text"}, None)),
        "logprobs": _unsupported(enum(False, None)),
        "top_logprobs": _unsupported(enum(0, None)),
        "modalities": _unsupported(enum([], ["text"], None)),
        "functions": _unsupported(enum([], None)),
        "function_call": _unsupported(enum([], "none", "auto", None)),
    }


def _response() -> dict[str, Node]:
    text: Node = {"type": "object", "properties": {"format": enum({"type": "text"}, None)}}
    return {
        "instructions": described(nullable(STRING), "How the answer shall be; goes before the input."),
        "previous_response_id": described(
            nullable(STRING), "The response to continue from: the last one of its conversation."
        ),
        "store": described(nullable(BOOLEAN), "false: no later request can continue from this response by its id."),
        "text": _unsupported(nullable(text)),
        "background": _unsupported(enum(False, None)),
        "top_logprobs": _unsupported(enum(0, None)),
        "prompt": _unsupported(_NULL),
    }


def _image() -> dict[str, Node]:
    return {
        "n": described(nullable({"type": "integer", "minimum": 1, "maximum": 10}), "At most so many pictures."),
        "model": described(nullable(STRING), "Has no effect."),
        "response_format": _unsupported(enum("url", None)),
        "stream": _unsupported(enum(False, None)),
    }


def _no_tools() -> dict[str, Node]:
    return {"tools": _unsupported(enum([], None)), "tool_choice": _unsupported(enum([], "none", "auto", None))}


def _conversation() -> dict[str, Node]:
    name: Node = {"type": "string", "minLength": 16, "maxLength": 255}
    named: Node = {"type": "object", "properties": {"id": name}, "required": ["id"]}
    inside: Node = {"type": "object", "properties": {"conversation_id": nullable(name)}}
    return {
        "stream": described(nullable(BOOLEAN), "Whether the answer comes as server-sent events."),
        "conversation": described(
            one_of_schemas(name, named, _NULL), "As the header X-Conversation-ID, which goes before it."
        ),
        "metadata": described(nullable(inside), "`conversation_id` in it is as `conversation`, which goes before it."),
    }


def _unheeded() -> dict[str, Node]:
    kinds = {name: kind for name, kind in WITHOUT_EFFECT.items() if name != "metadata"}
    return {name: described(nullable({"type": _TYPES[kind]}), "Has no effect.") for name, kind in kinds.items()}


def _unsupported(shape: Node) -> Node:
    return described(shape, "Another value is refused.")


def _messages() -> Node:
    return {**array_of(ref("Message")), "minItems": 1}


def _message() -> Node:
    text = _open({"type": enum("text", "input_text", "output_text"), "text": STRING}, {})
    refusal = _open({"type": const("refusal"), "refusal": STRING}, {})
    described = "A message. The last one of a list is the user's; an assistant's may lack its content."
    content = one_of_schemas(STRING, array_of(one_of_schemas(text, refusal)), _NULL)
    return {
        "description": described,
        "type": "object",
        "properties": {"type": const("message"), "role": enum(*_ROLES), "content": content},
        "required": ["role"],
    }
