"""The body of a request for a message, checked as Anthropic's API does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from emulator import sent_pictures
from emulator.anthropic import message_checks, parameter_checks
from emulator.anthropic.error_response import MessageError, invalid
from emulator.anthropic.sent_blocks import SentDocument, SentImage, SentText, SentToolResult, SentToolUse
from emulator.anthropic.sent_request import (
    ChooseAny,
    ChooseNone,
    ChooseTool,
    CountedRequest,
    MessageRequest,
    SentMessage,
    SentTool,
)
from emulator.json_text import Json, dump
from emulator.openai.message_history import CompletionMessage, SentCall
from emulator.openai.offered_tools import ToolRequest
from emulator.reply import OfferedTool
from emulator.sent_pictures import SentPicture

PRECISE = 0.3  # a lower temperature asks for a precise answer
VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")

R = TypeVar("R", bound=CountedRequest)


@dataclass(frozen=True)
class MessageBody:
    """What a client asks for. value: as it was sent. betas: in its headers."""

    request: MessageRequest
    messages: tuple[CompletionMessage, ...]
    tools: ToolRequest
    value: Json = field(default_factory=dict, compare=False, repr=False)
    betas: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The model asked for."""
        return self.request.model

    @property
    def pictures(self) -> tuple[SentPicture, ...]:
        """The pictures in all messages."""
        return tuple(picture for message in self.messages for picture in message.pictures)

    @property
    def tone(self) -> str | None:
        """The style that the temperature asks for, named as Bing names it; None if none was sent."""
        temperature = self.request.temperature
        if temperature is None:
            return None
        return "Precise" if temperature < PRECISE else "Balanced"


def parse(data: bytes, headers: Mapping[str, str]) -> MessageBody:
    """Return what a body asks for. Raises MessageError for the first thing that is wrong."""
    request, value, betas = read(data, headers, MessageRequest)
    return MessageBody(request, convert(request), offered_tools(request), value, betas)


def read(data: bytes, headers: Mapping[str, str], form: type[R]) -> tuple[R, Json, tuple[str, ...]]:
    """Return a request of this form, the body as it was sent, and the betas. Raises MessageError."""
    check_version(headers)
    try:
        value = json.loads(data)
    except ValueError as error:
        raise MessageError(invalid("The request body is not valid JSON: " + str(error))) from error
    try:
        request = form.model_validate(value)
    except ValidationError as error:
        raise MessageError(invalid(_first(error))) from error
    betas = tuple(part.strip() for part in headers.get("anthropic-beta", "").split(",") if part.strip())
    parameter_checks.check(request, betas, value)
    message_checks.check(request.messages)
    return request, value, betas


def check_version(headers: Mapping[str, str]) -> None:
    """Raise MessageError unless the headers name a version of the API."""
    version = headers.get("anthropic-version")
    if version is None:
        raise MessageError(invalid("anthropic-version: header is required"))
    if version not in VERSIONS:
        raise MessageError(invalid(f'anthropic-version: "{version}" is not a valid version'))


def _first(error: ValidationError) -> str:
    """Return the first thing that is wrong; a field that may not be there comes last."""
    errors = sorted(error.errors(), key=lambda one: one["type"] == "extra_forbidden")
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].replace("block_type()", "'type'").replace("tool_type()", "'type'")
    return f"{where}: {message}" if where else message


def offered_tools(request: CountedRequest) -> ToolRequest:
    """Return the tools that are offered; those that the server would run itself can't be called."""
    own = (tool for tool in request.tools or () if isinstance(tool, SentTool))
    tools = tuple(OfferedTool(tool.name, tool.input_schema.model_dump()) for tool in own)
    choice = request.tool_choice
    if choice is None or isinstance(choice, ChooseNone):
        return ToolRequest(tools, "auto" if choice is None else "none")
    parallel = not choice.disable_parallel_tool_use
    if isinstance(choice, ChooseTool):
        return ToolRequest(tools, "required", (choice.name,), parallel)
    return ToolRequest(tools, "required" if isinstance(choice, ChooseAny) else "auto", (), parallel)


def convert(request: CountedRequest) -> tuple[CompletionMessage, ...]:
    """Return the messages in the form that every API shares: each result of a tool is one of its own.

    Raises MessageError for a picture that is none.
    """
    system = "\n".join(block.text for block in request.system or ())
    converted = [CompletionMessage("system", system)] if system else []
    for place, message in enumerate(request.messages):
        converted += _convert(message, f"messages.{place}")
    return tuple(converted)


def _convert(message: SentMessage, where: str) -> list[CompletionMessage]:
    if message.role == "system":
        return [CompletionMessage("system", _read(message.content, where)[0])]
    if message.role == "assistant":
        calls = tuple(
            SentCall(one.id, one.name, dump(one.input)) for one in message.content if isinstance(one, SentToolUse)
        )
        text, _ = _read(message.content, where)
        return [CompletionMessage("assistant", text, calls=calls)]
    results = [(number, one) for number, one in enumerate(message.content) if isinstance(one, SentToolResult)]
    converted = [_result(one, f"{where}.content.{number}") for number, one in results]
    if len(results) < len(message.content):
        converted.append(CompletionMessage("user", *_read(message.content, where)))
    return converted


def _result(block: SentToolResult, where: str) -> CompletionMessage:
    text, pictures = _read(block.content or (), where)
    seen = (f"[{picture.describe()}]" for picture in pictures)
    return CompletionMessage("tool", "\n".join([*([text] if text else []), *seen]), pictures, call_id=block.tool_use_id)


def _read(blocks: Any, where: str) -> tuple[str, tuple[SentPicture, ...]]:
    """Return the text of blocks, joined by line ends, and their pictures. Raises MessageError."""
    texts: list[str] = []
    pictures: list[SentPicture] = []
    for number, block in enumerate(blocks):
        if isinstance(block, SentText):
            texts.append(block.text)
        elif isinstance(block, SentDocument):
            texts.append(_document(block))
        elif isinstance(block, SentImage):
            pictures.append(_picture(block, f"{where}.content.{number}.image.source"))
    return "\n".join(texts), tuple(pictures)


def _document(block: SentDocument) -> str:
    source = block.source
    if source.type == "text":
        return source.data
    return f"[document {block.title or source.type}]"


def _picture(block: SentImage, where: str) -> SentPicture:
    source = block.source
    if source.type == "file":
        return SentPicture(url=source.file_id)
    address = source.url if source.type == "url" else f"data:{source.media_type};base64,{source.data}"
    try:
        return sent_pictures.read(address)
    except ValueError as error:
        raise MessageError(invalid(f"{where}.{source.type}.data: The image {error}")) from error
