"""What was said in a conversation, told to another one that goes on with it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from wire.messages import HistoryMessage

_HEAD = "The conversation so far, which you are to go on with:"
_PARTS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


@dataclass(frozen=True)
class History:
    """How answers shall be, and what was said before a question, oldest first."""

    instructions: str = ""
    said: tuple[HistoryMessage, ...] = ()


# Brings what was said before the question, for a conversation that doesn't know it. StoreUnavailableError.
Recall = Callable[[], Awaitable[History]]


async def no_history() -> History:
    """The Recall of a conversation that has no past."""
    return History()


def render_history(past: History) -> str:
    """One text that tells all of it; empty for nothing."""
    told = [past.instructions] if past.instructions else []
    if past.said:
        lines = (f"{_PARTS[one.role]}: {one.text}" for one in past.said)
        told.append("\n\n".join([_HEAD, *lines]))
    return "\n\n".join(told)
