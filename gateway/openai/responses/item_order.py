"""The order of an input's items: results follow their calls, and the items of an answer are one message. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.openai.errors import InvalidRequestError
from wire.prompt import Message, Text

# How many items an answer may have.
MAX_ANSWER = 1024


@dataclass(frozen=True)
class PlacedMessage:
    """A message, and the item that it was sent as, such as `input[2]`; `input` where that isn't known."""

    param: str
    message: Message

    @property
    def call_param(self) -> str:
        """The field with the id of its call."""
        return self.param if self.param == "input" else f"{self.param}.call_id"


def link_items(placed: Sequence[PlacedMessage], *, continues: bool) -> list[Message]:
    """Return the messages with each result behind its call, also where something else was sent between them.

    `continues`: what came before isn't part of the input, so a result may lack its call. InvalidRequestError for any
    other result without a call, a call without a result, and for a second one of either.
    """
    # An answer, or another message, each with the results that it needs.
    segments: list[list[Message]] = []
    waiting: dict[str, list[Message]] = {}
    answered: set[str] = set()
    for number, each in enumerate(placed):
        message = each.message
        if message.call_id:
            segment = _find_call(each, waiting, answered, continues=continues)
            answered.add(message.call_id)
            if segment is not None:
                segment.append(message)
                continue
        if not number or message.role != "assistant" or placed[number - 1].message.role != "assistant":
            segments.append([])
        segments[-1].append(message)
        if len(segments[-1]) > MAX_ANSWER:
            words = f"'input' may have up to {MAX_ANSWER} items of the assistant one after the other."
            raise InvalidRequestError(words, each.param, "invalid_value")
        for call in message.calls:
            if call.id in waiting:
                _refuse(each, f"the call '{call.id[:128]}' twice")
            waiting[call.id] = segments[-1]
    if waiting:
        missing = ", ".join(waiting)[:200]
        raise InvalidRequestError(f"No tool output found for the calls: {missing}.", "input", "invalid_value")
    return [message for segment in segments for message in segment]


def _find_call(
    result: PlacedMessage, waiting: dict[str, list[Message]], answered: set[str], *, continues: bool
) -> list[Message] | None:
    """Return the segment of a result's call, which waits no longer; None if the call isn't part of the input."""
    id_ = result.message.call_id
    segment = waiting.pop(id_, None)
    if segment is None and id_ in answered:
        _refuse(result, f"two results of the call '{id_[:128]}'")
    if segment is None and not continues:
        message = f"No tool call found for the output with call_id '{id_[:128]}'."
        raise InvalidRequestError(message, result.call_param, "invalid_value")
    return segment


def _refuse(placed: PlacedMessage, what: str) -> None:
    raise InvalidRequestError(f"'input' has {what}.", placed.call_param, "invalid_value")


def join_items(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Return the messages with consecutive ones of the assistant as one, unless something follows a call."""
    answers: list[list[Message]] = []
    extra: dict[str, Any] = {}
    for message in messages:
        if not answers or not _continues(answers[-1][-1], message, extra):
            answers.append([])
            extra = {}
        answers[-1].append(message)
        extra |= message.extra
    return tuple(map(_join, answers))


def _continues(last: Message, new: Message, extra: Mapping[str, Any]) -> bool:
    """Return whether a message belongs to the same answer as the last one; `extra` are the fields so far."""
    if last.role != "assistant" or new.role != "assistant" or (last.calls and new.parts) or last.name != new.name:
        return False
    return all(extra.get(name, value) == value for name, value in new.extra.items())


def _join(messages: Sequence[Message]) -> Message:
    if len(messages) == 1:
        return messages[0]
    texts = [message for message in messages if any(isinstance(part, Text) for part in message.parts)]
    return msgspec.structs.replace(
        messages[0],
        parts=tuple(part for message in messages for part in message.parts),
        calls=tuple(call for message in messages for call in message.calls),
        extra={name: value for message in messages for name, value in message.extra.items()},
        string=len(texts) == 1 and texts[0].string,
    )
