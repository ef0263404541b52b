"""What a client has sent of a conversation: its question, and all that was said before it. Pure."""

import hashlib
from dataclasses import dataclass

from emulator import frames

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
CONTEXT = 100_000  # characters of what was said before that the ledger keeps, the newest


@dataclass(frozen=True)
class Message:
    role: str
    text: str


@dataclass(frozen=True)
class Said:
    """question: the last message of the user. before: every other message."""

    question: str
    before: tuple[Message, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """The user's questions before this one."""
        return tuple(message.text for message in self.before if message.role == "user")

    @property
    def context(self) -> str:
        """What was said before, a message a line, cut at its beginning."""
        return "\n".join(f"{message.role}: {message.text}" for message in self.before)[-CONTEXT:]

    @property
    def digest(self) -> str:
        """SHA-256 of the roles and texts before the question; empty if there are none."""
        if not self.before:
            return ""
        return digest([[message.role, message.text] for message in self.before])


def digest(value: object) -> str:
    return hashlib.sha256(frames.dump(value).encode()).hexdigest()


def said(messages: tuple[Message, ...]) -> Said:
    """Take the question out of a list of messages. Without a message by the user the question is empty."""
    for index in reversed(range(len(messages))):
        if messages[index].role == "user":
            return Said(messages[index].text, messages[:index] + messages[index + 1 :])
    return Said("", messages)
