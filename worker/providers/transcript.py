"""The messages of a conversation, for another one that continues it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from wire.about import weigh_prompt
from wire.call_memory import CallRecord
from wire.messages import HistoryMessage
from wire.prompt import Prompt

_HEAD = "The conversation so far, which you are to go on with:"
_NAMES = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


@dataclass(frozen=True)
class History:
    """The instructions for answers, and the messages before a question, oldest first.

    `leading` and `asked` are as in wire.messages.Chat. `prompt` is the whole request, where text can't say it: for an
    upstream that gets messages, in place of all else. `secret` is that of envelopes (see worker.providers.envelope),
    and `records` are what is kept of the prompt's calls. `client` is whose question it is.
    """

    instructions: str = ""
    messages: tuple[HistoryMessage, ...] = ()
    leading: tuple[HistoryMessage, ...] = ()
    asked: tuple[HistoryMessage, ...] = ()
    prompt: Prompt | None = None
    secret: bytes = field(default=b"", repr=False)
    records: Mapping[str, CallRecord] = field(default_factory=dict)
    client: str = ""

    def weigh(self) -> int:
        """Return about how many characters a request has for which this is all but the question; see wire.about.weigh.

        What was said is counted whole where it is text.
        """
        if self.prompt is not None:
            return weigh_prompt(self.prompt)
        messages = (*self.messages, *self.leading, *self.asked)
        return len(self.instructions) + sum(len(message.text) for message in messages)


# Returns the messages before the question, for an upstream that doesn't have them. StoreUnavailableError.
Recall = Callable[[], Awaitable[History]]


async def no_history() -> History:
    """Return an empty history: the Recall of a new conversation."""
    return History()


def render_history(history: History) -> str:
    """Render the instructions and messages as one text; empty if there are none."""
    sections = [history.instructions] if history.instructions else []
    if history.messages:
        lines = (f"{_speaker(message)}: {message.text}" for message in history.messages)
        sections.append("\n\n".join([_HEAD, *lines]))
    return "\n\n".join(sections)


def _speaker(message: HistoryMessage) -> str:
    role = _NAMES[message.role]
    return f"{role} ({message.name})" if message.name else role
