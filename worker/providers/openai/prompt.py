"""What a server without a memory is told: how to answer, what was said before, and the question."""

from itertools import groupby
from operator import itemgetter
from typing import TypedDict

from wire.messages import HistoryMessage
from worker.providers.transcript import History

# A tool's result belongs to a call that this conversation doesn't have.
_ROLES = {"tool": "user"}


class PromptMessage(TypedDict):
    """One message of the OpenAI API."""

    role: str
    content: str


def build_messages(system: str, past: History, question: str, most: int) -> list[PromptMessage]:
    """All messages; of what was said before the last `most`, and none by the assistant in front."""
    how = "\n\n".join(part for part in (system, past.instructions) if part)
    head = [PromptMessage(role="system", content=how)] if how else []
    told = [_message(said) for said in _recent(past.said, most)]
    return [*head, *_merged([*told, PromptMessage(role="user", content=question)])]


def _recent(said: tuple[HistoryMessage, ...], most: int) -> tuple[HistoryMessage, ...]:
    recent = said[max(0, len(said) - most) :]
    while recent and recent[0].role == "assistant":
        recent = recent[1:]
    return recent


def _message(said: HistoryMessage) -> PromptMessage:
    return PromptMessage(role=_ROLES.get(said.role, said.role), content=said.text)


def _merged(told: list[PromptMessage]) -> list[PromptMessage]:
    """Neighbours of one role as one message: some models' templates want the roles to alternate."""
    groups = ((role, list(group)) for role, group in groupby(told, key=itemgetter("role")))
    return [PromptMessage(role=role, content="\n\n".join(one["content"] for one in group)) for role, group in groups]
