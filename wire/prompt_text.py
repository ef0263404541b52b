"""A prompt in text alone, for an upstream that gets nothing else and may know what came before."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import msgspec

from wire.messages import Chat, HistoryMessage, Prompted, Role, Work
from wire.prompt import Message, Opaque, Picture, Prompt, PromptRole, Refusal, Text, Thought, last_turn

_ROLES: Mapping[PromptRole, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
# What takes the place of other parts.
_NOTES = {
    "input_image": "[picture]",
    "file": "[file]",
    "input_file": "[file]",
    "input_audio": "[audio]",
    "audio": "[audio]",
}
_BEGUN = "Your answer has begun like this. Continue it:"
_SEPARATOR = "\n\n"


@dataclass(frozen=True)
class TextPrompt:
    """A conversation with a question at its end; the fields are as in wire.messages.Chat.

    An upstream that knows the conversation's first `known` messages, up to the last answer, gets only the question.
    """

    known: int
    instructions: str
    history: tuple[HistoryMessage, ...]
    question: str
    leading: tuple[HistoryMessage, ...] = ()
    asked: tuple[HistoryMessage, ...] = ()


def to_text(messages: Sequence[Message], *, instructions: int = 0) -> TextPrompt:
    """Return the conversation in text. The question is empty if no message asks anything.

    So many of the first messages are `instructions` whatever follows them.
    """
    sent = [_to_history(message) for message in messages]
    known = last_turn(messages)
    leading = len(list(takewhile(lambda message: message.role == "system", sent)))
    if leading == len(sent):
        # Nobody else wrote anything: these are what is asked.
        leading = instructions
    # A conversation that has the messages up to the last answer gets all that comes after it.
    asked = tuple(message for message in sent[max(known, leading) :] if message.text.strip())
    first = tuple(message for message in sent[:leading] if message.text.strip())
    return TextPrompt(
        known,
        _SEPARATOR.join(message.text for message in first),
        tuple(message for message in sent[leading:known] if message.text),
        _question(asked),
        () if _is_plain(first, "system") else first,
        () if _is_plain(asked, "user") else asked,
    )


def is_text(prompt: Prompt) -> bool:
    """Return whether text says all of a prompt. Stop sequences are no part of what is said to an upstream."""
    asked = msgspec.structs.replace(prompt, model="", messages=(), session="", dialect="chat")
    options = {name: value for name, value in prompt.options.items() if name != "stop"}
    same = msgspec.structs.replace(asked, options=options) == Prompt("chat", "", ())
    return same and all(map(_is_plain_message, prompt.messages))


def _is_plain_message(message: Message) -> bool:
    plain = not (message.calls or message.call_id or message.extra)
    return plain and all(isinstance(part, Text | Refusal) and not part.extra for part in message.parts)


def fill_text(work: Work) -> Work:
    """Return work whose fields for text are filled in, where it is a prompt."""
    if not isinstance(work, Prompted):
        return work
    text = _work_text(work)
    return msgspec.structs.replace(
        work,
        question=text.question,
        instructions=text.instructions,
        history=text.history,
        leading=text.leading,
        asked=text.asked,
    )


def joined_bytes(work: Work) -> int:
    """Return how many bytes of memory fill_text takes: for texts of several parts, or messages, joined to one."""
    if not isinstance(work, Prompted):
        return 0
    text = _work_text(work)
    messages = (*text.history, *text.leading, *text.asked)
    texts = {id(one): one for one in (text.question, text.instructions, *(message.text for message in messages))}
    own = {
        id(part.text) for message in work.prompt.messages for part in message.parts if isinstance(part, Text | Refusal)
    }
    return sum(sys.getsizeof(one) for key, one in texts.items() if one and key not in own)


def _work_text(work: Prompted) -> TextPrompt:
    """Return the text of work; the first message is the instructions that its request had apart from the input."""
    apart = work.prompt.dialect == "responses" and "instructions" in work.echo
    return to_text(work.prompt.messages, instructions=int(apart))


def plain_question(work: Prompted) -> Chat | None:
    """Return a prompt that is text for one of the styles as version 0.1 knows it: it ignores options and other fields.

    None for any other prompt.
    """
    prompt = work.prompt
    if not prompt.model.startswith("bing-") or prompt.tools or prompt.format is not None:
        return None
    for message in prompt.messages:
        if message.calls or not all(isinstance(part, Text | Refusal | Thought) for part in message.parts):
            return None
    text = _work_text(work)
    return Chat(
        work.style,
        text.question,
        work.request,
        work.wait,
        text.instructions,
        text.history,
        text.leading,
        text.asked,
        work.trace,
    )


def add_history(prompt: Prompt, earlier: Sequence[HistoryMessage]) -> Prompt:
    """Return the prompt with earlier messages before its own, but after the system's."""
    leading = len(list(takewhile(lambda message: message.role in ("system", "developer"), prompt.messages)))
    if leading == len(prompt.messages):
        leading = 0
    added = [Message(message.role, (Text(message.text),), string=True, name=message.name) for message in earlier]
    messages = (*prompt.messages[:leading], *added, *prompt.messages[leading:])
    return msgspec.structs.replace(prompt, messages=messages)


def _to_history(message: Message) -> HistoryMessage:
    text = _SEPARATOR.join(_part_text(part) for part in message.parts if not isinstance(part, Thought))
    return HistoryMessage(_ROLES[message.role], text, message.name)


def _part_text(part: Text | Picture | Refusal | Opaque) -> str:
    match part:
        case Picture():
            return "[picture]"
        case Opaque(value=value):
            return _NOTES.get(str(value.get("type")), "[attachment]")
        case _:
            return part.text


def _is_plain(messages: Sequence[HistoryMessage], role: Role) -> bool:
    """Return whether their joined text says all: there is at most one, of this role and without a name."""
    return not messages or messages == (HistoryMessage(role, messages[0].text),)


def _question(asked: Sequence[HistoryMessage]) -> str:
    return _SEPARATOR.join(
        f"{_BEGUN}{_SEPARATOR}{message.text}" if message.role == "assistant" else message.text for message in asked
    )
