"""What is kept of a job's work with its answer: all that rendering the answer takes."""

import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from wire.errors import BadMessageError
from wire.messages import Chat, HistoryMessage, Prompted, Style, Work
from wire.prompt import Message, Opaque, Part, Picture, Refusal, Text

# Characters of a system prompt that are kept.
_INSTRUCTIONS = 4096
# Characters that a part or a message takes beside its text, and a tool in all, roughly.
_PART = 64
_TOOL = 1024


class About(msgspec.Struct, frozen=True, omit_defaults=True):
    """About one job: its kind, and of a question what its answer's presentation needs.

    `instructions` are the beginning of the system prompt; `prompt_bytes` is the size of all texts that were sent;
    `digest` is that of `digest_prompt`.
    """

    kind: Literal["chat", "image"]
    style: Style = "balanced"
    instructions: str = ""
    prompt_bytes: int = 0
    digest: str = ""


def describe(work: Work) -> About:
    """Return what is kept of some work. BadMessageError if a text contains a lone surrogate."""
    if not isinstance(work, Chat):
        return About("image")
    texts = (work.instructions, *(message.text for message in work.history), work.question)
    try:
        size = sum(len(text.encode()) for text in texts)
    except UnicodeEncodeError as error:
        raise BadMessageError("text holds half a surrogate pair") from error
    digest = digest_prompt(work.instructions, work.history, work.question)
    return About("chat", work.style, work.instructions[:_INSTRUCTIONS], size, digest)


def weigh(work: Work) -> int:
    """Return about how many characters some work has: those of its texts and pictures, and some for each part."""
    if not isinstance(work, Chat):
        return 0
    size = len(work.question) + len(work.instructions) + sum(_PART + len(message.text) for message in work.history)
    if isinstance(work, Prompted):
        prompt = work.prompt
        size += _TOOL * len(prompt.tools) + sum(map(_weigh_message, prompt.messages))
    return size


def _weigh_message(message: Message) -> int:
    parts = sum(_PART + _weigh_part(part) for part in message.parts)
    return _PART + parts + sum(_PART + len(call.arguments) for call in message.calls)


def _weigh_part(part: Part) -> int:
    match part:
        case Text(text=text) | Refusal(text=text):
            return len(text)
        case Picture(url=url):
            return len(url)
        case Opaque(value=value):
            return sum(_PART + len(str(inner)) for inner in value.values())


def digest_prompt(instructions: str, history: Sequence[HistoryMessage], question: str) -> str:
    """Return a digest of what a client sent: that of a repeat is the same."""
    try:
        prompt = msgspec.json.encode((instructions, history, question))
    except UnicodeEncodeError as error:
        raise BadMessageError("text holds half a surrogate pair") from error
    return hashlib.sha256(prompt).hexdigest()


_about: msgspec.json.Decoder[About] = msgspec.json.Decoder(About)


def encode_about(about: About) -> bytes:
    """Encode it as JSON."""
    return msgspec.json.encode(about)


def decode_about(data: bytes) -> About:
    """Decode it. BadMessageError if the data is none."""
    try:
        return _about.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessageError(f"not about a job: {error}") from error
