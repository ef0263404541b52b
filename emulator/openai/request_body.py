"""The body of a request for a chat completion, checked as a compatible server does."""

import json
from dataclasses import dataclass, field

from emulator.json_text import Json
from emulator.openai import error_response, message_list, offered_tools, parameters
from emulator.openai.error_response import BadRequestError, ErrorResponse
from emulator.openai.message_history import CompletionMessage
from emulator.openai.offered_tools import ToolRequest
from emulator.openai.parameters import CompletionParameters
from emulator.sent_pictures import SentPicture

PRECISE = 0.5  # a lower temperature asks for a precise answer
CREATIVE = 0.9  # a higher one for a creative answer


@dataclass(frozen=True)
class CompletionBody:
    """What a client asks for. value: as it was sent."""

    model: str
    messages: tuple[CompletionMessage, ...]
    stream: bool = False
    include_usage: bool = False
    tools: ToolRequest = field(default_factory=ToolRequest)
    parameters: CompletionParameters = field(default_factory=CompletionParameters)
    value: Json = field(default_factory=dict, compare=False, repr=False)

    @property
    def pictures(self) -> tuple[SentPicture, ...]:
        """The pictures in all messages."""
        return tuple(picture for message in self.messages for picture in message.pictures)

    @property
    def tone(self) -> str | None:
        """The style that the temperature asks for, named as Bing names it; None if none was sent."""
        return read_tone(self.parameters.temperature)


def read_tone(temperature: float | None) -> str | None:
    """Return the style that a temperature asks for, None for none."""
    if temperature is None:
        return None
    if temperature < PRECISE:
        return "Precise"
    return "Creative" if temperature > CREATIVE else "Balanced"


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
    model = read_model(value)
    stream, usage = read_stream(value)
    messages = message_list.messages(value)
    tools, others = offered_tools.parse(value), parameters.parse(value)
    return CompletionBody(model, messages, stream, usage, tools, others, value)


def read_model(value: Json) -> str:
    """Return the model that a body names. Raises BadRequestError."""
    model = value.get("model")
    if not model:
        raise BadRequestError(ErrorResponse(400, "you must provide a model parameter"))
    if not isinstance(model, str):
        raise BadRequestError(error_response.wrong_type("model", "a string"))
    return model


def read_stream(value: Json) -> tuple[bool, bool]:
    """Return whether a body asks for a stream, and for usage at its end. Raises BadRequestError."""
    stream = parameters.flag(value, "stream")
    options = value.get("stream_options")
    if options is not None and not stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise BadRequestError(ErrorResponse(400, message, param="stream_options"))
    if options is not None and not isinstance(options, dict):
        raise BadRequestError(error_response.wrong_type("stream_options", "an object"))
    return stream, parameters.flag(options or {}, "include_usage")
