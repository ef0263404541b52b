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
    """A message. The last one of a list is the user's; an assistant's may lack its content."""

    type: Literal["message"] = "message"
    role: Annotated[str, Meta(extra_json_schema={"enum": list(_ROLES)})]
    content: str | list[TextPart | InputTextPart | OutputTextPart | RefusalPart] | None = None


@dataclass(frozen=True)
class ChatPrompt:
    """A conversation with a question at its end.

    `messages` is all of it as it was sent; a conversation is found by the first `known` of them, up to the last answer.
    The other fields are the same as a job contains it: the `instructions`, the `history` and the `question`.
    """

    messages: tuple[HistoryMessage, ...]
    known: int
    instructions: str
    history: tuple[HistoryMessage, ...]
    question: str


def parse_messages(messages: object, param: str, instructions: str = "") -> ChatPrompt:
    """Return the conversation in the list of messages of the field `param`; `instructions` precede its own."""
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError(f"'{param}' must be a list of messages that isn't empty.", param, "invalid_type")
    own = [_parse_message(message, f"{param}[{number}]") for number, message in enumerate(messages)]
    sent = (*([HistoryMessage("system", instructions)] if instructions else ()), *own)
    leading = len(list(takewhile(lambda message: message.role == "system", sent)))
    known = max((number for number, message in enumerate(sent, 1) if message.role == "assistant"), default=0)
    # A conversation that has the messages up to the last answer gets all that comes after it.
    new = sent[max(known, leading) :]
    question = _join(new)
    if not question.strip() or all(message.role == "system" for message in new):
        raise InvalidRequestError(f"'{param}' must end with a message of the user.", param, "invalid_value")
    history = tuple(message for message in sent[leading:known] if message.text)
    return ChatPrompt(sent, known, _join(sent[:leading]), history, question)


def content_text(content: object, param: str) -> str:
    """Return the text of a message's content: a string, or a list of parts that contain text."""
    if isinstance(content, str):
        return join_surrogates(content)
    if not isinstance(content, list):
        raise InvalidRequestError(f"'{param}' must be a string or a list of parts.", param, "invalid_type")
    return _SEPARATOR.join(_part_text(part, f"{param}[{number}]") for number, part in enumerate(content))


def _parse_message(message: object, param: str) -> HistoryMessage:
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
    return HistoryMessage(_ROLES[role], content_text(content, f"{param}.content"))


def _part_text(part: Any, param: str) -> str:
    if not isinstance(part, dict):
        raise InvalidRequestError(f"'{param}' must be an object.", param, "invalid_type")
    name = _TEXT_FIELDS.get(str(part.get("type")))
    if name is None:
        raise InvalidRequestError(f"'{param}': only parts of text are supported.", param, "unsupported_value")
    text = part.get(name)
    if not isinstance(text, str):
        raise InvalidRequestError(f"'{param}.{name}' must be a string.", f"{param}.{name}", "invalid_type")
    return join_surrogates(text)


def _join(messages: Sequence[HistoryMessage]) -> str:
    return _SEPARATOR.join(message.text for message in messages if message.text.strip())
