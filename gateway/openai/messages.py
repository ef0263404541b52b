"""Lists of messages, as clients send a whole conversation each time. Pure: JSON in, a ChatPrompt or an error out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from gateway.http.fields import join_surrogates
from gateway.openai.errors import InvalidRequestError
from wire.messages import HistoryMessage, Role

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
# The types of parts that contain text, and the field that contains it.
_TEXT_FIELDS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
# What an upstream that gets only text gets of other parts.
_NOTES = {
    "image_url": "[picture]",
    "input_image": "[picture]",
    "file": "[file]",
    "input_file": "[file]",
    "input_audio": "[audio]",
    "audio": "[audio]",
}
_BEGUN = "Your answer has begun like this. Continue it:"
_SEPARATOR = "\n\n"


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


class MessageFields(msgspec.Struct, kw_only=True):
    """A message. An assistant's may lack its content."""

    type: Literal["message"] = "message"
    role: Annotated[str, Meta(extra_json_schema={"enum": list(_ROLES)})]
    name: Annotated[str | None, Meta(description="Who wrote it.")] = None
    content: str | list[TextPart | InputTextPart | OutputTextPart | RefusalPart] | None = None


@dataclass(frozen=True)
class ChatPrompt:
    """A conversation with a question at its end.

    `messages` is all of it as it was sent; a conversation is found by the first `known` of them, up to the last answer.
    The other fields are the same as a job contains it; see wire.messages.Chat.
    """

    messages: tuple[HistoryMessage, ...]
    known: int
    instructions: str
    history: tuple[HistoryMessage, ...]
    question: str
    leading: tuple[HistoryMessage, ...] = ()
    asked: tuple[HistoryMessage, ...] = ()


def parse_messages(messages: object, param: str, instructions: str = "") -> ChatPrompt:
    """Return the conversation in the list of messages of the field `param`; `instructions` precede its own."""
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError(f"'{param}' must be a list of messages that isn't empty.", param, "invalid_type")
    new = _count_known(messages)
    own = [_parse_message(message, f"{param}[{number}]", old=number < new) for number, message in enumerate(messages)]
    sent = (*([HistoryMessage("system", instructions)] if instructions else ()), *own)
    known = new + len(sent) - len(own) if new else 0
    leading = len(list(takewhile(lambda message: message.role == "system", sent)))
    if leading == len(sent):
        # Nobody else wrote anything: these are what is asked.
        leading = 1 if instructions and len(own) else 0
    # A conversation that has the messages up to the last answer gets all that comes after it.
    asked = tuple(message for message in sent[max(known, leading) :] if message.text.strip())
    if not asked:
        raise InvalidRequestError(f"'{param}' must end with a message that isn't empty.", param, "invalid_value")
    first = tuple(message for message in sent[:leading] if message.text.strip())
    return ChatPrompt(
        sent,
        known,
        _join(first),
        tuple(message for message in sent[leading:known] if message.text),
        _question(asked),
        () if _is_plain(first, "system") else first,
        () if _is_plain(asked, "user") else asked,
    )


def _count_known(messages: list[Any]) -> int:
    """Return how many messages end with the last answer that something follows which isn't the assistant's."""
    known = after = 0
    for number, message in enumerate(messages, 1):
        if isinstance(message, dict) and message.get("role") == "assistant":
            after = number
        else:
            known = after
    return known


def _is_plain(messages: Sequence[HistoryMessage], role: Role) -> bool:
    """Return whether their joined text says all: there is at most one, of this role and without a name."""
    return not messages or messages == (HistoryMessage(role, messages[0].text),)


def _question(asked: Sequence[HistoryMessage]) -> str:
    """Return the question in words, for an upstream that gets nothing else."""
    return _SEPARATOR.join(
        f"{_BEGUN}{_SEPARATOR}{message.text}" if message.role == "assistant" else message.text for message in asked
    )


def content_text(content: object, param: str, *, old: bool = False) -> str:
    """Return the text of a message's content: a string, or a list of parts that contain text.

    Of an `old` message, which has been answered, a part that isn't text is a note.
    """
    if isinstance(content, str):
        return join_surrogates(content)
    if not isinstance(content, list):
        raise InvalidRequestError(f"'{param}' must be a string or a list of parts.", param, "invalid_type")
    return _SEPARATOR.join(_part_text(part, f"{param}[{number}]", old=old) for number, part in enumerate(content))


def _parse_message(message: object, param: str, *, old: bool) -> HistoryMessage:
    if not isinstance(message, dict):
        raise InvalidRequestError(f"'{param}' must be an object.", param, "invalid_type")
    if message.get("type", "message") != "message":
        raise InvalidRequestError(f"'{param}.type' must be 'message'.", f"{param}.type", "unsupported_value")
    role = message.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise InvalidRequestError(
            f"'{param}.role' must be one of {', '.join(_ROLES)}.", f"{param}.role", "invalid_value"
        )
    content = message.get("content")
    if content is None and role == "assistant":
        # The assistant called a tool, or refused.
        content = message.get("refusal") or ""
    name = message.get("name")
    text = content_text(content, f"{param}.content", old=old)
    return HistoryMessage(_ROLES[role], text, join_surrogates(name) if isinstance(name, str) else "")


def _part_text(part: Any, param: str, *, old: bool) -> str:
    if not isinstance(part, dict):
        raise InvalidRequestError(f"'{param}' must be an object.", param, "invalid_type")
    name = _TEXT_FIELDS.get(str(part.get("type")))
    if name is None and old and isinstance(part.get("type"), str):
        return _NOTES.get(part["type"], "[attachment]")
    if name is None:
        raise InvalidRequestError(f"'{param}': only parts of text are supported.", param, "unsupported_value")
    text = part.get(name)
    if not isinstance(text, str):
        raise InvalidRequestError(f"'{param}.{name}' must be a string.", f"{param}.{name}", "invalid_type")
    return join_surrogates(text)


def _join(messages: Sequence[HistoryMessage]) -> str:
    return _SEPARATOR.join(message.text for message in messages if message.text.strip())
