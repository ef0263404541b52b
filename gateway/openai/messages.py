"""Lists of messages, as clients tell a whole conversation each time. Pure: JSON in, a Talk or an error out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

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
# The kinds of parts that hold text, and under which name.
_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_BETWEEN = "\n\n"


@dataclass(frozen=True)
class Talk:
    """A conversation with a question at its end.

    `said` is all of it as it was told; the first `known` of that, up to the last answer, are what a conversation may be
    known by. The rest is the same as a job holds it: `instructions`, then the `history`, then the `question`.
    """

    said: tuple[HistoryMessage, ...]
    known: int
    instructions: str
    history: tuple[HistoryMessage, ...]
    question: str


def talk(messages: object, param: str, instructions: str = "") -> Talk:
    """The conversation in a list of messages, which stands in `param`; `instructions` go before its own."""
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError(f"'{param}' must be a list of messages that isn't empty.", param, "invalid_type")
    own = [_said(message, f"{param}[{number}]") for number, message in enumerate(messages)]
    said = (*([HistoryMessage("system", instructions)] if instructions else ()), *own)
    leading = len(list(takewhile(lambda one: one.role == "system", said)))
    known = max((number for number, one in enumerate(said, 1) if one.role == "assistant"), default=0)
    # What comes after the last answer is told to a conversation that knows what was before: all of it.
    asked = said[max(known, leading) :]
    question = _joined(asked)
    if not question.strip() or all(one.role == "system" for one in asked):
        raise InvalidRequestError(f"'{param}' must end with a message of the user.", param, "invalid_value")
    return Talk(said, known, _joined(said[:leading]), tuple(one for one in said[leading:known] if one.text), question)


def text_of(content: object, param: str) -> str:
    """The text of a message's content: a string, or a list of parts that hold text."""
    if isinstance(content, str):
        return join_surrogates(content)
    if not isinstance(content, list):
        raise InvalidRequestError(f"'{param}' must be a string or a list of parts.", param, "invalid_type")
    return _BETWEEN.join(_part(part, f"{param}[{number}]") for number, part in enumerate(content))


def _said(message: object, param: str) -> HistoryMessage:
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
        # It called a tool, or refused.
        content = message.get("refusal") or ""
    return HistoryMessage(_ROLES[role], text_of(content, f"{param}.content"))


def _part(part: Any, param: str) -> str:
    if not isinstance(part, dict):
        raise InvalidRequestError(f"'{param}' must be an object.", param, "invalid_type")
    name = _TEXTS.get(str(part.get("type")))
    if name is None:
        raise InvalidRequestError(f"'{param}': only parts of text are supported.", param, "unsupported_value")
    text = part.get(name)
    if not isinstance(text, str):
        raise InvalidRequestError(f"'{param}.{name}' must be a string.", f"{param}.{name}", "invalid_type")
    return join_surrogates(text)


def _joined(said: Sequence[HistoryMessage]) -> str:
    return _BETWEEN.join(one.text for one in said if one.text.strip())
