"""Build the messages for a server that keeps no conversations: instructions, history and question."""

from collections.abc import Iterable, Sequence
from typing import NotRequired, TypedDict

import msgspec

from wire.messages import HistoryMessage
from worker.accounts.account import SystemMessages
from worker.providers.transcript import History

# A tool's result would need the call that it belongs to, which isn't part of this conversation.
_ROLES = {"tool": "user"}


class PromptMessage(TypedDict):
    """One message of the OpenAI API."""

    role: str
    content: str
    name: NotRequired[str]


def build_messages(
    system: str, history: History, question: str, limit: int, *, placement: SystemMessages = "told"
) -> list[PromptMessage]:
    """Return all messages as their client sent them, with the last `limit` of the history.

    What is left of a history that was cut doesn't begin with an answer. `system` precedes the client's instructions.
    """
    asked = history.asked or (HistoryMessage("user", question),)
    messages = [*_instructions(system, history), *_recent(history.messages, limit), *asked]
    return [_to_prompt(message) for message in (messages if placement == "told" else _system_first(messages))]


def _instructions(system: str, history: History) -> list[HistoryMessage]:
    """Return the messages of the system at the beginning, with `system` as part of the first."""
    own = [HistoryMessage("system", history.instructions)] if history.instructions else []
    first, *others = [*(history.leading or own)] or [HistoryMessage("system", "")]
    text = "\n\n".join(part for part in (system, first.text) if part)
    return [msgspec.structs.replace(first, text=text), *others] if text else others


def _recent(messages: Sequence[HistoryMessage], limit: int) -> Sequence[HistoryMessage]:
    recent = messages[max(0, len(messages) - limit) :]
    while len(recent) < len(messages) and recent and recent[0].role == "assistant":
        recent = recent[1:]
    return recent


def _system_first(messages: Iterable[HistoryMessage]) -> list[HistoryMessage]:
    """Return the messages with all of the system's joined in front: some models' templates refuse them elsewhere."""
    notes: list[str] = []
    others: list[HistoryMessage] = []
    for message in messages:
        if message.role == "system":
            notes.append(message.text)
        else:
            others.append(message)
    return [*([HistoryMessage("system", "\n\n".join(notes))] if notes else []), *others]


def _to_prompt(message: HistoryMessage) -> PromptMessage:
    prompt = PromptMessage(role=_ROLES.get(message.role, message.role), content=message.text)
    if message.name:
        prompt["name"] = message.name
    return prompt
