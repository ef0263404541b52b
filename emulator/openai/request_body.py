"""The body of a request for a chat completion, checked as a compatible server does."""

import json
from dataclasses import dataclass

from emulator.json_text import Json
from emulator.openai import error_response
from emulator.openai.error_response import BadRequestError, ErrorResponse
from emulator.openai.message_history import ROLES, CompletionMessage

PRECISE = 0.5  # a lower temperature asks for a precise answer
CREATIVE = 0.9  # a higher one for a creative answer


@dataclass(frozen=True)
class CompletionBody:
    """What a client asks for."""

    model: str
    messages: tuple[CompletionMessage, ...]
    stream: bool = False
    include_usage: bool = False
    temperature: float | None = None

    @property
    def tone(self) -> str | None:
        """The style that the temperature asks for, named as Bing names it; None if none was sent."""
        if self.temperature is None:
            return None
        if self.temperature < PRECISE:
            return "Precise"
        return "Creative" if self.temperature > CREATIVE else "Balanced"


def load(data: bytes) -> Json:
    """Return the object in a body. Raises BadRequestError."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise BadRequestError(error_response.no_json()) from error
    if not isinstance(value, dict):
        raise BadRequestError(error_response.no_json())
    return value


def parse(data: bytes) -> CompletionBody:
    """Return what a body asks for. Raises BadRequestError for the first thing that is wrong."""
    value = load(data)
    model = value.get("model")
    if not model:
        raise BadRequestError(ErrorResponse(400, "you must provide a model parameter"))
    if not isinstance(model, str):
        raise BadRequestError(error_response.wrong_type("model", "a string"))
    stream = flag(value, "stream")
    options = value.get("stream_options")
    if options is not None and not stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise BadRequestError(ErrorResponse(400, message, param="stream_options"))
    if options is not None and not isinstance(options, dict):
        raise BadRequestError(error_response.wrong_type("stream_options", "an object"))
    usage = flag(options or {}, "include_usage")
    return CompletionBody(model, messages(value), stream, usage, temperature(value))


def flag(value: Json, name: str) -> bool:
    """Return a sent that is true or false, false if it is not there. Raises BadRequestError."""
    sent = value.get(name)
    if sent is not None and not isinstance(sent, bool):
        raise BadRequestError(error_response.wrong_type(name, "a boolean"))
    return bool(sent)


def temperature(value: Json) -> float | None:
    """Return the temperature, None if there is none. Raises BadRequestError."""
    sent = value.get("temperature")
    if sent is None:
        return None
    if isinstance(sent, bool) or not isinstance(sent, int | float):
        raise BadRequestError(error_response.wrong_type("temperature", "a number"))
    if not 0 <= sent <= 2:
        raise BadRequestError(error_response.wrong_value("temperature", "a number from 0 to 2"))
    return float(sent)


def messages(value: Json) -> tuple[CompletionMessage, ...]:
    """Return the messages. Raises BadRequestError."""
    sent = value.get("messages")
    if sent is None:
        raise BadRequestError(error_response.missing("messages"))
    if not isinstance(sent, list):
        raise BadRequestError(error_response.wrong_type("messages", "an array"))
    if not sent:
        raise BadRequestError(
            ErrorResponse(400, "Invalid 'messages': empty array.", code="empty_array", param="messages")
        )
    return tuple(message(entry, f"messages[{number}]") for number, entry in enumerate(sent))


def message(value: object, where: str) -> CompletionMessage:
    """Return one message. where: its place in the body. Raises BadRequestError."""
    if not isinstance(value, dict):
        raise BadRequestError(error_response.wrong_type(where, "an object"))
    role = value.get("role")
    if role is None:
        raise BadRequestError(error_response.missing(f"{where}.role"))
    if role not in ROLES:
        raise BadRequestError(error_response.wrong_value(f"{where}.role", "one of " + ", ".join(ROLES)))
    content = value.get("content")
    if content is None:
        if role != "assistant":
            raise BadRequestError(error_response.wrong_type(f"{where}.content", "a string or an array"))
        return CompletionMessage(role, "")
    return CompletionMessage(role, text_of(content, f"{where}.content"))


def text_of(content: object, where: str) -> str:
    """Return a content's text: the string itself, or its parts of text; pictures and sounds are passed over."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise BadRequestError(error_response.wrong_type(where, "a string or an array"))
    texts = []
    for number, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise BadRequestError(error_response.wrong_type(f"{where}[{number}]", "an object with a type"))
        if part["type"] == "text":
            if not isinstance(part.get("text"), str):
                raise BadRequestError(error_response.wrong_type(f"{where}[{number}].text", "a string"))
            texts.append(part["text"])
    return "\n".join(texts)
