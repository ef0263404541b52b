"""Lists of messages, as clients send a whole conversation each time. Pure: JSON in, messages or an error out."""

from collections.abc import Container, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.openai.errors import InvalidRequestError
from gateway.openai.file_data import check_file
from gateway.openai.json_fields import Fields, check_depth, read_field, read_filled, read_object, read_string, rest_of
from gateway.openai.picture_urls import check_picture_url
from gateway.openai.schema_marks import NULL, STRING, any_of, list_of
from wire.prompt import Message, Opaque, Part, Picture, PromptRole, Refusal, Text, ToolCall, pictures

_ROLES: Mapping[str, PromptRole] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
# The types of parts that contain text.
TEXT_KINDS = ("text", "input_text", "output_text")
# Fields with a meaning here. `annotations` are citations in our own answers, for people.
_KNOWN = ("type", "role", "content", "name", "refusal", "annotations", "tool_calls", "function_call", "tool_call_id")
ADDRESS = "^([hH][tT][tT][pP][sS]?://|[dD][aA][tT][aA]:)"
MAX_PARTS = 1024
MAX_MESSAGES = 10_000
MAX_PICTURES = 250
MAX_CALLS = 128


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    """A part of a message."""

    text: str


class InputTextPart(TextPart, tag="input_text"):
    """A part of a message that a user or the program sent."""


class OutputTextPart(TextPart, tag="output_text"):
    """A part of an answer."""


class RefusalPart(msgspec.Struct, tag_field="type", tag="refusal"):
    """A part of an answer that refuses."""

    refusal: str


class PictureAddress(msgspec.Struct):
    """A picture: its address, or itself as a `data:` URL in base64. It is a PNG, JPEG, WebP or GIF."""

    url: Annotated[str, Meta(pattern=ADDRESS)]
    detail: str | None = None


class PicturePart(msgspec.Struct, tag_field="type", tag="image_url"):
    """A picture in a message."""

    image_url: Annotated[
        Any, any_of(PictureAddress, {"type": "string", "pattern": ADDRESS}, description="Its address, with details.")
    ]


class OtherPart(msgspec.Struct, kw_only=True):
    """A part of any other type, such as `input_audio` or `file`. It goes to a model's server as it is."""

    type: Annotated[
        str, Meta(extra_json_schema={"not": {"enum": [*TEXT_KINDS, "refusal", "image_url"]}}, description="Its type.")
    ]


class CalledFunction(msgspec.Struct, kw_only=True):
    """A function that the assistant called."""

    name: Annotated[str, Meta(min_length=1)]
    arguments: Annotated[str, Meta(description="JSON, as the model wrote it.")]


class CalledTool(msgspec.Struct, kw_only=True):
    """A custom tool that the assistant called."""

    name: Annotated[str, Meta(min_length=1)]
    input: str


class FunctionCall(msgspec.Struct, kw_only=True):
    """A call of a function."""

    id: Annotated[str, Meta(min_length=1)]
    type: Literal["function"] | None = None
    function: CalledFunction


class CustomCall(msgspec.Struct, kw_only=True):
    """A call of a custom tool."""

    id: Annotated[str, Meta(min_length=1)]
    type: Literal["custom"]
    custom: CalledTool


_PART_FIELDS = (TextPart, InputTextPart, OutputTextPart, RefusalPart, PicturePart, OtherPart)
# What a message may contain.
CONTENTS: Sequence[type[msgspec.Struct]] = (*_PART_FIELDS, PictureAddress, FunctionCall, CustomCall)


class MessageFields(msgspec.Struct, kw_only=True):
    """A message. An assistant's may lack its content.

    Fields that aren't listed go to the model's server as they are, such as `reasoning_content`.
    """

    type: Literal["message"] = "message"
    role: Annotated[str, Meta(extra_json_schema={"enum": list(_ROLES)})]
    name: Annotated[str | None, Meta(description="Who wrote it; the function whose result it is.")] = None
    content: Annotated[Any, any_of(STRING, list_of(*_PART_FIELDS, maxItems=MAX_PARTS), NULL)] = None
    refusal: str | None = None
    tool_calls: Annotated[Any, any_of(list_of(FunctionCall, CustomCall, maxItems=MAX_CALLS), NULL)] = None
    function_call: Annotated[CalledFunction | None, Meta(description="The old form of a call.")] = None
    tool_call_id: Annotated[str | None, Meta(description="The call whose result it is.")] = None


def parse_messages(messages: object, param: str) -> tuple[Message, ...]:
    """Return the messages in the field `param`. A call of the old form gets an id, and so does its result."""
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError(f"'{param}' must be a list of messages that isn't empty.", param, "invalid_type")
    check_messages(messages, param)
    parsed = tuple(_parse_message(message, f"{param}[{number}]", number) for number, message in enumerate(messages))
    if sum(1 for _ in pictures(parsed)) > MAX_PICTURES:
        raise InvalidRequestError(f"'{param}' may hold up to {MAX_PICTURES} pictures.", param, "invalid_value")
    return parsed


def check_messages(messages: Sequence[object], param: str) -> None:
    """Raise InvalidRequestError for more messages or items than a conversation may have: each takes its time."""
    if len(messages) > MAX_MESSAGES:
        raise InvalidRequestError(f"'{param}' may hold up to {MAX_MESSAGES} entries.", param, "invalid_value")


def link_results(messages: Sequence[Message], param: str) -> tuple[Message, ...]:
    """Return the messages with each result behind its call.

    InvalidRequestError for one without the other, two results of a call, and two calls with one id in a message.

    A result of the old form, which names only its function, gets the id of the call.
    """
    linked: list[Message] = []
    names: dict[str, str] = {}
    waiting: set[str] = set()
    answered: set[str] = set()
    for number, message in enumerate(messages):
        where = f"{param}[{number}]"
        if message.role == "tool":
            result = _link(message, names, answered, where)
            waiting.discard(result.call_id)
            answered.add(result.call_id)
            linked.append(result)
            continue
        _check_answered(waiting, where)
        names, answered = _call_names(message, where), set()
        # Calls of the old form needn't have a result.
        waiting = {call.id for call in message.calls if not _is_made(call.id)}
        linked.append(message)
    _check_answered(waiting, f"{param}[{len(messages) - 1}]")
    return tuple(linked)


def _call_names(message: Message, param: str) -> dict[str, str]:
    """Return the names of a message's calls by their ids, of which each is one call's."""
    names: dict[str, str] = {}
    for number, call in enumerate(message.calls):
        if call.id in names:
            where = f"{param}.tool_calls[{number}].id"
            raise InvalidRequestError(f"'{where}' is the id of two calls.", where, "invalid_value")
        names[call.id] = call.name
    return names


def _link(result: Message, names: Mapping[str, str], answered: Container[str], param: str) -> Message:
    if result.call_id:
        if result.call_id not in names:
            message = f"'{param}' must follow an assistant message whose 'tool_calls' have its 'tool_call_id'."
            raise InvalidRequestError(message, f"{param}.tool_call_id", "invalid_value")
        if result.call_id in answered:
            message = f"'{param}' is a second result of one call."
            raise InvalidRequestError(message, f"{param}.tool_call_id", "invalid_value")
        return result
    call = next((id_ for id_, name in names.items() if _is_made(id_) and name == result.name), None)
    if call is None:
        message = f"'{param}' must follow an assistant message with the 'function_call' of its 'name'."
        raise InvalidRequestError(message, f"{param}.name", "invalid_value")
    return msgspec.structs.replace(result, call_id=call)


def _check_answered(waiting: set[str], param: str) -> None:
    if waiting:
        message = (
            "An assistant message with 'tool_calls' must be followed by a message of role 'tool' for each of them: "
            f"no result of {', '.join(sorted(waiting))[:200]}."
        )
        raise InvalidRequestError(message, param, "invalid_value")


def _make_id(number: int) -> str:
    """Return the id of a message's call of the old form. Some servers take only ids of nine letters and digits."""
    return f"oldc{number:05}"


def _is_made(id_: str) -> bool:
    return id_.startswith("oldc") and id_[4:].isdecimal()


def _parse_message(message: object, param: str, number: int) -> Message:
    fields = read_object(message, param)
    if fields.get("type", "message") != "message":
        raise InvalidRequestError(f"'{param}.type' must be 'message'.", f"{param}.type", "unsupported_value")
    role = fields.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise InvalidRequestError(
            f"'{param}.role' must be one of {', '.join(_ROLES)}.", f"{param}.role", "invalid_value"
        )
    content = fields.get("content")
    return Message(
        _ROLES[role],
        _parse_content(fields, role, param),
        string=isinstance(content, str),
        name=read_field(fields, "name", str, param) or "",
        calls=_parse_calls(fields, param, number) if role == "assistant" else (),
        call_id=_call_id(fields, param) if role == "tool" else "",
        extra=rest_of(fields, _KNOWN, param),
    )


def _call_id(fields: Fields, param: str) -> str:
    id_: str | None = read_field(fields, "tool_call_id", str, param)
    if not id_:
        message = f"'{param}.tool_call_id' must name the call whose result it is."
        raise InvalidRequestError(message, f"{param}.tool_call_id", "invalid_value")
    return id_


def _parse_content(fields: Fields, role: str, param: str) -> tuple[Part, ...]:
    content, refusal = fields.get("content"), read_field(fields, "refusal", str, param)
    refusals = (Refusal(refusal),) if refusal and role == "assistant" else ()
    if content is None and role == "function":
        content = ""
    if content is None and role == "assistant":
        return refusals
    if isinstance(content, str):
        return (Text(content), *refusals)
    where = f"{param}.content"
    if not isinstance(content, list):
        raise InvalidRequestError(f"'{where}' must be a string or a list of parts.", where, "invalid_type")
    if len(content) > MAX_PARTS:
        raise InvalidRequestError(f"'{where}' may hold up to {MAX_PARTS} parts.", where, "invalid_value")
    return (*(_parse_part(part, f"{where}[{number}]") for number, part in enumerate(content)), *refusals)


def _parse_part(part: object, param: str) -> Part:
    fields = read_object(part, param)
    kind = fields.get("type")
    if not isinstance(kind, str) or not kind:
        raise InvalidRequestError(f"'{param}.type' must be a string.", f"{param}.type", "invalid_type")
    if kind in TEXT_KINDS:
        return Text(read_string(fields, "text", param), rest_of(fields, ("type", "text"), param))
    if kind == "refusal":
        return Refusal(read_string(fields, "refusal", param), rest_of(fields, ("type", "refusal"), param))
    if kind == "image_url":
        return parse_picture(fields, param)
    check_depth(part, param)
    check_file(fields, param)
    return Opaque(dict(fields))


def parse_picture(fields: Fields, param: str) -> Picture:
    """Return the picture in a part of type `image_url`. InvalidRequestError."""
    where = f"{param}.image_url"
    given = fields.get("image_url")
    if isinstance(given, str):
        check_picture_url(given, where)
        return Picture(given, extra=rest_of(fields, ("type", "image_url"), param))
    image = read_object(given, where)
    url = read_string(image, "url", where)
    check_picture_url(url, f"{where}.url")
    detail = read_field(image, "detail", str, where) or ""
    inner = rest_of(image, ("url", "detail"), where)
    extra = rest_of(fields, ("type", "image_url"), param) | ({"image_url": inner} if inner else {})
    return Picture(url, detail, extra)


def _parse_calls(fields: Fields, param: str, number: int) -> tuple[ToolCall, ...]:
    given, old = fields.get("tool_calls"), fields.get("function_call")
    where = f"{param}.tool_calls"
    if given is not None and not isinstance(given, list):
        raise InvalidRequestError(f"'{where}' must be a list.", where, "invalid_type")
    if given and old is not None:
        message = f"'{param}.function_call' can't be used together with 'tool_calls'."
        raise InvalidRequestError(message, f"{param}.function_call", "invalid_value")
    if old is not None:
        return (_parse_function(_make_id(number), old, f"{param}.function_call", {}),)
    if len(given or []) > MAX_CALLS:
        raise InvalidRequestError(f"'{where}' may hold up to {MAX_CALLS} calls.", where, "invalid_value")
    return tuple(_parse_call(call, f"{where}[{index}]") for index, call in enumerate(given or []))


def _parse_call(call: object, param: str) -> ToolCall:
    fields = read_object(call, param)
    id_ = read_filled(fields, "id", param)
    kind = fields.get("type") or "function"
    if kind == "function":
        extra = rest_of(fields, ("id", "type", "index", "function"), param)
        return _parse_function(id_, fields.get("function"), f"{param}.function", extra)
    if kind == "custom":
        custom = read_object(fields.get("custom"), f"{param}.custom")
        name, text = read_filled(custom, "name", f"{param}.custom"), read_string(custom, "input", f"{param}.custom")
        inner = rest_of(custom, ("name", "input"), f"{param}.custom")
        extra = rest_of(fields, ("id", "type", "index", "custom"), param) | ({"custom": inner} if inner else {})
        return ToolCall(id_, name, text, custom=True, extra=extra)
    raise InvalidRequestError(f"'{param}.type' must be 'function' or 'custom'.", f"{param}.type", "invalid_value")


def _parse_function(id_: str, function: object, param: str, extra: dict[str, Any]) -> ToolCall:
    fields = read_object(function, param)
    inner = rest_of(fields, ("name", "arguments"), param)
    return ToolCall(
        id_,
        read_filled(fields, "name", param),
        read_string(fields, "arguments", param),
        extra=extra | ({"function": inner} if inner else {}),
    )
