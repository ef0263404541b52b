"""What makes two questions the same, for a request that is sent again.

Clients repeat a conversation with other ids, and without the reasoning and the extra fields that came with an answer.
"""

import hashlib
from typing import Any

import msgspec

from wire.errors import BadMessageError
from wire.json_values import is_dense
from wire.messages import Chat, Prompted, Role, Style, Work, encode
from wire.prompt import Message, Opaque, Part, Picture, Prompt, Refusal, Text, Thought, ToolCall
from wire.prompt_text import plain_question
from wire.threads import LARGE


class _Question(msgspec.Struct, tag="chat", tag_field="type"):
    """A question in text as version 0.1 encodes it, so that its repeat over an update is the same one."""

    style: Style
    question: str
    request: str
    wait: float
    instructions: str
    history: tuple["_Message", ...]
    trace: str
    v: int


class _Message(msgspec.Struct):
    role: Role
    text: str


def canonical_work(work: Work) -> bytes:
    """Return the same bytes for all forms of the same work. BadMessageError if it contains a lone surrogate."""
    work = msgspec.structs.replace(work, request="", wait=0.0, trace="")
    match work:
        case Prompted(style=style, prompt=prompt):
            if plain := plain_question(work):
                return canonical_work(plain)
            return style.encode() + canonical_prompt(prompt)
        case Chat(leading=(), asked=()) if not any(message.name for message in work.history):
            return _encode_question(work)
        case _:
            return encode(work)


def _encode_question(work: Chat) -> bytes:
    history = tuple(_Message(message.role, message.text) for message in work.history)
    question = _Question(work.style, work.question, "", 0.0, work.instructions, history, "", work.v)
    try:
        return msgspec.json.encode(question)
    except UnicodeEncodeError as error:
        raise BadMessageError("text holds half a surrogate pair") from error


def canonical_prompt(prompt: Prompt) -> bytes:
    """Return the same bytes for all forms of the same prompt."""
    messages = tuple(map(canonical_message, prompt.messages))
    same = msgspec.structs.replace(prompt, messages=messages, ignored=(), session="")
    return msgspec.json.encode(same, order="sorted")


def canonical_message(message: Message) -> Message:
    """Return a message with nothing but what was said: the text, the calls and their results, digests of pictures."""
    return Message(
        message.role,
        tuple(_canonical_part(part) for part in message.parts if not isinstance(part, Thought)),
        name=message.name,
        calls=tuple(map(_canonical_call, message.calls)),
        is_error=message.is_error,
    )


def _canonical_part(part: Text | Picture | Refusal | Opaque) -> Part:
    match part:
        case Text(text=text):
            return Text(text)
        case Refusal(text=text):
            return Refusal(text)
        case Picture(url=url):
            return Picture(hashlib.sha256(url.encode()).hexdigest())
        case Opaque(value=value):
            return Opaque({"sha256": hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()})


def _canonical_call(call: ToolCall) -> ToolCall:
    return ToolCall("", call.name, _canonical_json(call.arguments), call.custom)


def _canonical_json(text: str) -> str:
    # Millions of values would take a worker's time from all others, for each look at a call.
    if len(text) > LARGE and is_dense(text.encode("utf-8", "surrogatepass")):
        return text
    try:
        value: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
    return msgspec.json.encode(value, order="sorted").decode()
