"""What is asked under /v1. Fields that stand nowhere here are ignored."""

from collections.abc import Mapping

from gateway.docs.shapes import BOOLEAN, STRING, Node, either, many, maybe, one_of, only, record, ref, told
from gateway.openai.models import STYLES
from gateway.openai.validation import WITHOUT_EFFECT

MODEL: Node = {"type": "string", "enum": list(STYLES), "description": "One for each style."}
_NULL: Node = {"type": "null"}
_TYPES: Mapping[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object"}
_ROLES = ["system", "developer", "user", "assistant", "tool", "function"]
_FILLED: Node = {"type": "string", "minLength": 1}


def requests() -> dict[str, Node]:
    """All of them, by name, and what they consist of."""
    return {
        "CompletionRequest": _open(
            {"model": MODEL, "messages": _messages()},
            {**_completion(), **_no_tools(), **_conversation(), **_unheeded()},
        ),
        "ResponseRequest": _open(
            {"model": MODEL, "input": either(_FILLED, _messages())},
            {**_response(), **_no_tools(), **_conversation(), **_unheeded()},
        ),
        "ImageRequest": _open({"prompt": _FILLED}, _image()),
        "Message": _message(),
    }


def _open(required: dict[str, Node], optional: dict[str, Node]) -> Node:
    return record(required | optional, optional=list(optional)) | {"additionalProperties": True}


def _completion() -> dict[str, Node]:
    stops = either(STRING, {**many(STRING), "maxItems": 4}, _NULL)
    return {
        "stream_options": maybe({"type": "object", "properties": {"include_usage": maybe(BOOLEAN)}}),
        "stop": told(stops, "The answer ends before any of these."),
        "n": _unsupported(one_of(1, None)),
        "response_format": _unsupported(one_of({"type": "text"}, None)),
        "logprobs": _unsupported(one_of(False, None)),
        "top_logprobs": _unsupported(one_of(0, None)),
        "modalities": _unsupported(one_of([], ["text"], None)),
        "functions": _unsupported(one_of([], None)),
        "function_call": _unsupported(one_of([], "none", "auto", None)),
    }


def _response() -> dict[str, Node]:
    text: Node = {"type": "object", "properties": {"format": one_of({"type": "text"}, None)}}
    return {
        "instructions": told(maybe(STRING), "How the answer shall be; goes before the input."),
        "previous_response_id": told(maybe(STRING), "The response to go on from: the last one of its conversation."),
        "store": told(maybe(BOOLEAN), "false: no later request goes on from this response by its id."),
        "text": _unsupported(maybe(text)),
        "background": _unsupported(one_of(False, None)),
        "top_logprobs": _unsupported(one_of(0, None)),
        "prompt": _unsupported(_NULL),
    }


def _image() -> dict[str, Node]:
    return {
        "n": told(maybe({"type": "integer", "minimum": 1, "maximum": 10}), "At most so many pictures."),
        "model": told(maybe(STRING), "Has no effect."),
        "response_format": _unsupported(one_of("url", None)),
        "stream": _unsupported(one_of(False, None)),
    }


def _no_tools() -> dict[str, Node]:
    return {"tools": _unsupported(one_of([], None)), "tool_choice": _unsupported(one_of([], "none", "auto", None))}


def _conversation() -> dict[str, Node]:
    name: Node = {"type": "string", "minLength": 16, "maxLength": 255}
    named: Node = {"type": "object", "properties": {"id": name}, "required": ["id"]}
    inside: Node = {"type": "object", "properties": {"conversation_id": maybe(name)}}
    return {
        "stream": told(maybe(BOOLEAN), "Whether the answer comes as server-sent events."),
        "conversation": told(either(name, named, _NULL), "As the header X-Conversation-ID, which goes before it."),
        "metadata": told(maybe(inside), "`conversation_id` in it is as `conversation`, which goes before it."),
    }


def _unheeded() -> dict[str, Node]:
    kinds = {name: kind for name, kind in WITHOUT_EFFECT.items() if name != "metadata"}
    return {name: told(maybe({"type": _TYPES[kind]}), "Has no effect.") for name, kind in kinds.items()}


def _unsupported(shape: Node) -> Node:
    return told(shape, "Another value is refused.")


def _messages() -> Node:
    return {**many(ref("Message")), "minItems": 1}


def _message() -> Node:
    text = _open({"type": one_of("text", "input_text", "output_text"), "text": STRING}, {})
    refusal = _open({"type": only("refusal"), "refusal": STRING}, {})
    described = "Something that was said. The last one of a list is the user's; an assistant's may lack its content."
    content = either(STRING, many(either(text, refusal)), _NULL)
    return {
        "description": described,
        "type": "object",
        "properties": {"type": only("message"), "role": one_of(*_ROLES), "content": content},
        "required": ["role"],
    }
