"""The messages of a request, checked as a compatible server does."""

import base64
import binascii
from collections.abc import Sequence

from emulator import sent_pictures
from emulator.json_text import Json
from emulator.openai import error_response
from emulator.openai.error_response import BadRequestError, ErrorResponse
from emulator.openai.message_history import ROLES, CompletionMessage, SentCall
from emulator.sent_pictures import SentPicture

PARTS = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
    "function": ("text",),
}
DETAILS = ("auto", "low", "high")
SOUNDS = ("wav", "mp3")


def messages(value: Json) -> tuple[CompletionMessage, ...]:
    """Return the messages of a body. Raises BadRequestError for the first thing that is wrong."""
    sent = value.get("messages")
    if sent is None:
        raise BadRequestError(error_response.missing("messages"))
    if not isinstance(sent, list):
        raise BadRequestError(error_response.wrong_type("messages", "an array"))
    if not sent:
        raise BadRequestError(
            ErrorResponse(400, "Invalid 'messages': empty array.", code="empty_array", param="messages")
        )
    read = tuple(message(entry, f"messages[{number}]") for number, entry in enumerate(sent))
    check_order(read)
    return read


def message(value: object, where: str) -> CompletionMessage:
    """Return one message. where: its place in the body. Raises BadRequestError."""
    if not isinstance(value, dict):
        raise BadRequestError(error_response.wrong_type(where, "an object"))
    role = value.get("role")
    if role is None:
        raise BadRequestError(error_response.missing(f"{where}.role"))
    if role not in ROLES:
        raise BadRequestError(error_response.wrong_value(f"{where}.role", "one of " + ", ".join(ROLES)))
    if value.get("name") is not None and not isinstance(value["name"], str):
        raise BadRequestError(error_response.wrong_type(f"{where}.name", "a string"))
    calls = sent_calls(value, where) if role == "assistant" else ()
    content = value.get("content")
    if content is None:
        if role not in ("assistant", "function"):
            raise BadRequestError(error_response.wrong_type(f"{where}.content", "a string or an array"))
        return CompletionMessage(role, "", calls=calls, value=value)
    text, pictures = read_content(content, role, f"{where}.content")
    return CompletionMessage(role, text, pictures, calls, result_of(value, role, where), value)


def result_of(value: Json, role: str, where: str) -> str:
    """Return the id of the call whose result a message is, empty if it is none. Raises BadRequestError."""
    if role == "function" and not value.get("name"):
        raise BadRequestError(error_response.missing(f"{where}.name"))
    if role != "tool":
        return ""
    if value.get("tool_call_id") is None:
        raise BadRequestError(error_response.missing(f"{where}.tool_call_id"))
    return _string(value["tool_call_id"], f"{where}.tool_call_id")


def sent_calls(value: Json, where: str) -> tuple[SentCall, ...]:
    """Return an assistant's calls. Raises BadRequestError."""
    old = value.get("function_call")
    if old is not None:
        function = _object(old, f"{where}.function_call")
        name = _string(function.get("name"), f"{where}.function_call.name")
        arguments = _string(function.get("arguments"), f"{where}.function_call.arguments")
        return (SentCall("", name, arguments, function),)
    sent = value.get("tool_calls")
    if sent is None:
        return ()
    if not isinstance(sent, list):
        raise BadRequestError(error_response.wrong_type(f"{where}.tool_calls", "an array"))
    return tuple(sent_call(entry, f"{where}.tool_calls[{number}]") for number, entry in enumerate(sent))


def sent_call(value: object, where: str) -> SentCall:
    """Return one call that was sent back. Raises BadRequestError."""
    call = _object(value, where)
    id_ = _string(call.get("id"), f"{where}.id")
    kind = call.get("type")
    if kind not in ("function", "custom"):
        raise BadRequestError(error_response.wrong_value(f"{where}.type", "'function' or 'custom'"))
    body = _object(call.get(kind), f"{where}.{kind}")
    text = "arguments" if kind == "function" else "input"
    name = _string(body.get("name"), f"{where}.{kind}.name")
    return SentCall(id_, name, _string(body.get(text), f"{where}.{kind}.{text}"), call)


def check_order(read: Sequence[CompletionMessage]) -> None:
    """Raise BadRequestError unless each call has its result, right behind it, and each result its call."""
    waiting: list[str] = []
    asked_at = 0
    for number, message_ in enumerate(read):
        if message_.role == "tool":
            if message_.call_id not in waiting:
                raise BadRequestError(_result_without_call(number))
            waiting.remove(message_.call_id)
            continue
        if waiting:
            raise BadRequestError(_call_without_result(waiting, asked_at))
        # A function_call of old has no id, and its result is no tool's.
        waiting = [call.id for call in message_.calls] if message_.value.get("tool_calls") else []
        asked_at = number
    if waiting:
        raise BadRequestError(_call_without_result(waiting, asked_at))


def _result_without_call(number: int) -> ErrorResponse:
    message_ = "A message with role 'tool' has to answer one of the 'tool_calls' of the message before."
    return ErrorResponse(400, f"Invalid parameter: {message_}", param=f"messages.[{number}].role")


def _call_without_result(ids: Sequence[str], number: int) -> ErrorResponse:
    message_ = (
        "After an assistant message with 'tool_calls' each 'tool_call_id' needs a tool message that answers it. "
        f"There is none for: {', '.join(ids)}"
    )
    return ErrorResponse(400, message_, param=f"messages.[{number}].role")


def read_content(content: object, role: str, where: str) -> tuple[str, tuple[SentPicture, ...]]:
    """Return a content's text, its parts joined by line ends, and its pictures. Raises BadRequestError."""
    if isinstance(content, str):
        return content, ()
    if not isinstance(content, list):
        raise BadRequestError(error_response.wrong_type(where, "a string or an array"))
    texts: list[str] = []
    pictures: list[SentPicture] = []
    for number, part in enumerate(content):
        place = f"{where}[{number}]"
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise BadRequestError(error_response.wrong_type(place, "an object with a type"))
        kind = part["type"]
        if kind not in PARTS[role]:
            expected = f"one of {', '.join(PARTS[role])} in a message with role '{role}'"
            raise BadRequestError(error_response.wrong_value(f"{place}.type", expected))
        if kind in ("text", "refusal"):
            texts.append(_string(part.get(kind), f"{place}.{kind}"))
        elif kind == "image_url":
            pictures.append(picture(part, place))
        else:
            check_media(part, kind, place)
    return "\n".join(texts), tuple(pictures)


def picture(part: Json, where: str) -> SentPicture:
    """Return the picture of a part. Raises BadRequestError."""
    image = _object(part.get("image_url"), f"{where}.image_url")
    if image.get("detail") is not None and image["detail"] not in DETAILS:
        raise BadRequestError(error_response.wrong_value(f"{where}.image_url.detail", "one of " + ", ".join(DETAILS)))
    try:
        return sent_pictures.read(_string(image.get("url"), f"{where}.image_url.url"))
    except ValueError as error:
        raise BadRequestError(
            ErrorResponse(400, f"Invalid image: it {error}.", code="invalid_image_url", param=f"{where}.image_url.url")
        ) from error


def check_media(part: Json, kind: str, where: str) -> None:
    """Raise BadRequestError unless a part is a sound or a file."""
    body = _object(part.get(kind), f"{where}.{kind}")
    if kind == "file":
        if not (body.get("file_id") or body.get("file_data")):
            raise BadRequestError(error_response.missing(f"{where}.file.file_id"))
        return
    data = _string(body.get("data"), f"{where}.input_audio.data")
    if body.get("format") not in SOUNDS:
        raise BadRequestError(error_response.wrong_value(f"{where}.input_audio.format", "'wav' or 'mp3'"))
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise BadRequestError(error_response.wrong_value(f"{where}.input_audio.data", "base64")) from error


def _object(value: object, where: str) -> Json:
    if value is None:
        raise BadRequestError(error_response.missing(where))
    if not isinstance(value, dict):
        raise BadRequestError(error_response.wrong_type(where, "an object"))
    return value


def _string(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise BadRequestError(error_response.wrong_type(where, "a string"))
    return value
