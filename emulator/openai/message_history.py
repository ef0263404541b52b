"""What a client has sent of a conversation: its question, and the messages before it."""

import hashlib
from dataclasses import dataclass

from emulator.json_text import dump

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
CONTEXT = 100_000  # characters of the messages before that the ledger keeps, the newest


@dataclass(frozen=True)
class CompletionMessage:
    """One message of a conversation."""

    role: str
    text: str


@dataclass(frozen=True)
class MessageHistory:
    """A question and its history. question: the last message of the user. before: every other message."""

    question: str
    before: tuple[CompletionMessage, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """The user's questions before this one."""
        return tuple(message.text for message in self.before if message.role == "user")

    @property
    def context(self) -> str:
        """The messages before, one a line, cut at the beginning."""
        return "\n".join(f"{message.role}: {message.text}" for message in self.before)[-CONTEXT:]

    @property
    def digest(self) -> str:
        """SHA-256 of the roles and texts before the question; empty if there are none."""
        if not self.before:
            return ""
        return digest([[message.role, message.text] for message in self.before])


def digest(value: object) -> str:
    """Return the SHA-256 of a value's JSON."""
    return hashlib.sha256(dump(value).encode()).hexdigest()


def split_question(messages: tuple[CompletionMessage, ...]) -> MessageHistory:
    """Take the question out of a list of messages. Without a message by the user the question is empty."""
    for index in reversed(range(len(messages))):
        if messages[index].role == "user":
            return MessageHistory(messages[index].text, messages[:index] + messages[index + 1 :])
    return MessageHistory("", messages)
