"""What a client has sent of a conversation: its question, and the messages before it."""

import hashlib
import re
from dataclasses import dataclass, field

from emulator.call_directives import CallDirectives, parse
from emulator.json_text import Json, dump
from emulator.reply import ToolResult
from emulator.sent_pictures import SentPicture

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
# What smolagents sends in the place of calls and of their results.
CALLING = re.compile(r"^Calling tools:", re.MULTILINE)
OBSERVED = re.compile(r"Observation:\s*")
CONTEXT = 100_000  # characters of the messages before that the ledger keeps, the newest


@dataclass(frozen=True)
class SentCall:
    """A call in an assistant's message, as its client sent it back."""

    id: str
    name: str
    arguments: str
    value: Json = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class CompletionMessage:
    """One message of a conversation.

    calls: an assistant's. call_id: of the call whose result it is. value: the message as it was sent.
    """

    role: str
    text: str
    pictures: tuple[SentPicture, ...] = ()
    calls: tuple[SentCall, ...] = ()
    call_id: str = ""
    value: Json = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_result(self) -> bool:
        """Whether it is what a tool returned."""
        return self.role in ("tool", "function")


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


@dataclass(frozen=True)
class OpenTurn:
    """What came since the last answer that made no calls.

    directives: the newest of the user's. results: of the calls since then. pictures: in the user's messages.
    """

    directives: CallDirectives
    results: tuple[ToolResult, ...]
    pictures: tuple[SentPicture, ...]


def open_turn(messages: tuple[CompletionMessage, ...]) -> OpenTurn:
    """Return the turn that an answer would continue."""
    ended = [number for number, message in enumerate(messages, 1) if _ends_turn(message)]
    turn = messages[ended[-1] if ended else 0 :]
    names = {call.id: call.name for message in turn for call in message.calls}
    directives, results = CallDirectives(), list[ToolResult]()
    found = False
    for message in turn:
        observed = OBSERVED.match(message.text)
        if message.is_result:
            results.append(ToolResult(names.get(message.call_id, message.value.get("name") or ""), message.text))
        elif message.role == "user" and observed:
            results.append(ToolResult("", message.text[observed.end() :]))
        elif message.role == "user":
            new, _ = parse(message.text)
            if new != CallDirectives() or not found:
                directives, results = new, []
            found = found or new != CallDirectives()
    pictures = tuple(picture for message in turn if message.role == "user" for picture in message.pictures)
    return OpenTurn(directives, tuple(results), pictures)


def _ends_turn(message: CompletionMessage) -> bool:
    return message.role == "assistant" and not message.calls and not CALLING.search(message.text)
