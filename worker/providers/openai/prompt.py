"""Build the messages for a server that keeps no conversations: instructions, history and question."""

from itertools import groupby
from operator import itemgetter
from typing import TypedDict

from wire.messages import HistoryMessage
from worker.providers.transcript import History

# A tool's result would need the call that it belongs to, which isn't part of this conversation.
_ROLES = {"tool": "user"}


class PromptMessage(TypedDict):
    """One message of the OpenAI API."""

    role: str
    content: str


def build_messages(system: str, history: History, question: str, limit: int) -> list[PromptMessage]:
    """Return all messages, with the last `limit` of the history, the first of which is not the assistant's."""
    instructions = "\n\n".join(part for part in (system, history.instructions) if part)
    head = [PromptMessage(role="system", content=instructions)] if instructions else []
    earlier = [_to_prompt(message) for message in _recent(history.messages, limit)]
    return [*head, *_merge([*earlier, PromptMessage(role="user", content=question)])]


def _recent(messages: tuple[HistoryMessage, ...], limit: int) -> tuple[HistoryMessage, ...]:
    recent = messages[max(0, len(messages) - limit) :]
    while recent and recent[0].role == "assistant":
        recent = recent[1:]
    return recent


def _to_prompt(message: HistoryMessage) -> PromptMessage:
    return PromptMessage(role=_ROLES.get(message.role, message.role), content=message.text)


def _merge(messages: list[PromptMessage]) -> list[PromptMessage]:
    """Merge neighbours of the same role: some models' templates require alternating roles."""
    groups = ((role, list(group)) for role, group in groupby(messages, key=itemgetter("role")))
    return [
        PromptMessage(role=role, content="\n\n".join(message["content"] for message in group)) for role, group in groups
    ]
