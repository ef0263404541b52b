"""What is kept of a job's work with its answer: all that rendering the answer takes."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Literal

import msgspec

from wire.blocks import Block
from wire.errors import BadMessageError
from wire.messages import Call, Chat, HistoryMessage, Prompted, Style, Work
from wire.prompt import Dialect, Message, Opaque, Picture, Prompt, Refusal, Text, Thought
from wire.prompt_digest import canonical_prompt
from wire.threads import LARGE

# Characters of a system prompt that are kept.
_INSTRUCTIONS = 4096
# The bytes of text that cost as much as a picture of middling size: 765 tokens.
_PART_BYTES = 4 * 765
# Characters that a part or a message takes beside its text, and a tool in all, roughly.
_PART = 64
_TOOL = 1024


Kind = Literal["chat", "image", "call"]


class About(msgspec.Struct, frozen=True, omit_defaults=True):
    """About one job: its kind, and of a question what its answer's presentation needs.

    `instructions` are the beginning of the system prompt; `prompt_bytes` is the size of all texts that were sent, with
    an estimate for all else; `digest` is that of what was asked.

    Of a prompt these are also kept: its `dialect`, the `model` as asked, the `stops` before which its answer ends,
    whether a stream has the tokens (`include_usage`), and whether calls go out in the old form (`functions`); what of
    the request comes back in the answer (`echo`), whether later requests may refer to it (`stored`), and whether its
    client doesn't wait for it (`background`).
    """

    kind: Kind
    style: Style = "balanced"
    instructions: str = ""
    prompt_bytes: int = 0
    digest: str = ""
    dialect: Dialect | Literal[""] = ""
    model: str = ""
    stops: tuple[str, ...] = ()
    include_usage: bool = False
    functions: bool = False
    echo: dict[str, Any] = {}
    stored: bool = False
    background: bool = False


def describe(work: Work) -> About:
    """Return what is kept of some work. BadMessageError if a text contains a lone surrogate."""
    if isinstance(work, Prompted):
        return _describe_prompt(work)
    if not isinstance(work, Chat):
        return About("call" if isinstance(work, Call) else "image")
    texts = (work.instructions, *(message.text for message in work.history), work.question)
    digest = digest_prompt(work.instructions, work.history, work.question)
    return About("chat", work.style, work.instructions[:_INSTRUCTIONS], _size(texts), digest)


def _describe_prompt(work: Prompted) -> About:
    prompt = work.prompt
    leading = takewhile(lambda message: message.role in ("system", "developer"), prompt.messages)
    return About(
        "chat",
        work.style,
        "\n\n".join(message.text for message in leading)[:_INSTRUCTIONS],
        _estimate(prompt),
        hashlib.sha256(canonical_prompt(prompt)).hexdigest(),
        prompt.dialect,
        prompt.model,
        tuple(prompt.options.get("stop", ())),
        work.include_usage,
        work.functions,
        work.echo,
        work.stored,
        work.background,
    )


def _estimate(prompt: Prompt) -> int:
    """Return the size of a prompt: that of its texts, calls and tools, and a constant for each other part."""
    parts = [part for message in prompt.messages for part in message.parts]
    texts = [part.text for part in parts if isinstance(part, Text | Refusal | Thought)]
    calls = [text for message in prompt.messages for call in message.calls for text in (call.name, call.arguments)]
    others = sum(1 for part in parts if isinstance(part, Picture | Opaque))
    asked = (prompt.tools, prompt.format) if prompt.tools or prompt.format else ()
    return _size((*texts, *calls)) + others * _PART_BYTES + (len(msgspec.json.encode(asked)) if asked else 0)


def _size(texts: Iterable[str]) -> int:
    try:
        return sum(len(text.encode()) for text in texts)
    except UnicodeEncodeError as error:
        raise BadMessageError("text holds half a surrogate pair") from error


def weigh(work: Work) -> int:
    """Return about how many characters some work has: those of its texts and pictures, and some for each part.

    It decides what is done beside the event loop, in which it runs itself: behind LARGE it looks no further.
    """
    if isinstance(work, Call):
        return len(bytes(work.body))
    if not isinstance(work, Chat):
        return 0
    size = len(work.question) + len(work.instructions) + sum(_PART + len(message.text) for message in work.history)
    if isinstance(work, Prompted):
        size += weigh_prompt(work.prompt)
    return size


def weigh_prompt(prompt: Prompt) -> int:
    """Return about how many characters a prompt has; it looks no further than weigh does."""
    size = _TOOL * len(prompt.tools) + weigh_messages(prompt.messages)
    if size > LARGE:
        return size
    values: list[Any] = [prompt.options, prompt.extra]
    if prompt.format is not None:
        values += [prompt.format.schema, prompt.format.extra]
    for tool in prompt.tools:
        values += [tool.description, tool.parameters, tool.format, tool.extra]
    return size + _add_up(_weigh_values(values))


def weigh_messages(messages: Iterable[Message]) -> int:
    """Return about how many characters messages have; it looks no further than weigh does."""
    return _add_up(weight for message in messages for weight in _weights(message))


def weigh_blocks(blocks: Iterable[Block]) -> int:
    """Return about how many characters an answer has; it looks no further than weigh does."""
    return _add_up(weight for block in blocks for value in (block.text, block.extra) for weight in _weigh_values(value))


def _add_up(weights: Iterable[int]) -> int:
    size = 0
    for weight in weights:
        size += weight
        if size > LARGE:
            break
    return size


def weigh_message(message: Message) -> int:
    """Return about how many characters a message has in all."""
    return sum(_weights(message))


def _weights(message: Message) -> Iterator[int]:
    """Yield about how many characters there are in a message, bit by bit."""
    yield _PART
    for part in message.parts:
        match part:
            case Text(text=text, extra=extra) | Refusal(text=text, extra=extra) | Picture(url=text, extra=extra):
                yield _PART + len(text)
                yield from _weigh_values(extra)
            case Thought(text=text, extra=extra):
                yield len(text)
                yield from _weigh_values(extra)
            case Opaque(value=value):
                yield from _weigh_values(value)
    for call in message.calls:
        yield _PART + len(call.arguments)
        yield from _weigh_values(call.extra)
    yield from _weigh_values(message.extra)


def _weigh_values(value: Any) -> Iterator[int]:
    waiting = [value] if value else []
    while waiting:
        value = waiting.pop()
        yield _PART + (len(value) if isinstance(value, str) else 0)
        if isinstance(value, Mapping):
            yield sum(map(len, value))
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def digest_prompt(instructions: str, history: Sequence[HistoryMessage], question: str) -> str:
    """Return a digest of what a client sent: that of a repeat is the same."""
    try:
        prompt = msgspec.json.encode((instructions, history, question))
    except UnicodeEncodeError as error:
        raise BadMessageError("text holds half a surrogate pair") from error
    return hashlib.sha256(prompt).hexdigest()


class _OnlyKind(msgspec.Struct, frozen=True):
    kind: str


_about: msgspec.json.Decoder[About] = msgspec.json.Decoder(About)
_only_kind: msgspec.json.Decoder[_OnlyKind] = msgspec.json.Decoder(_OnlyKind)


def encode_about(about: About) -> bytes:
    """Encode it as JSON."""
    return msgspec.json.encode(about)


def decode_about(data: bytes) -> About:
    """Decode it. BadMessageError if the data is none."""
    try:
        return _about.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessageError(f"not about a job: {error}") from error


def is_call(data: bytes) -> bool:
    """Return whether it is about a call, without reading the rest. BadMessageError if the data is none."""
    try:
        return _only_kind.decode(data).kind == "call"
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessageError(f"not about a job: {error}") from error
