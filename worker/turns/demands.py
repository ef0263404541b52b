"""What a question asks of a server beyond the ordinary: its refusal may follow from that, and not from the account."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from wire.messages import Call, Prompted, Work
from wire.prompt import Message, Opaque, Prompt

# Bytes of a whole prompt, and tokens of an answer, above which a limit for a minute may be met by one question alone:
# 16 KiB are about 4,000 tokens, and the smallest limits in use are some thousands.
LONG = 16 * 1024
LONG_ANSWER = 4096

# Options to which an account may have no right, or by which its server may know and limit somebody.
_RIGHTS = frozenset({"service_tier", "web_search_options", "prediction", "safety_identifier"})
_BETA = "anthropic-beta"
# What gateways keep for themselves.
_NOT_SENT = frozenset({"store", "metadata", "user", "stream", "stream_options"})
_EMBEDDINGS = frozenset({"model", "input", "dimensions", "encoding_format"})
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_prompt = msgspec.json.Decoder(Prompt)


def has_own_fields(work: Work) -> bool:
    """Return whether its server gets fields that are unknown here, or is asked for what takes a right."""
    match work:
        case Prompted(prompt=prompt):
            return _has_own_fields(prompt)
        case Call(operation="embeddings", body=body):
            return not _fields.decode(body).keys() <= _EMBEDDINGS
        case Call(body=body):
            return _has_own_fields(_prompt.decode(body))
    return False


def is_large(work: Work, size: int) -> bool:
    """Return whether a prompt of `size` bytes, or the answer that it asks for, may be above a limit of its own."""
    longest = work.prompt.options.get("max_tokens") if isinstance(work, Prompted) else None
    return size > LONG or (isinstance(longest, int) and longest > LONG_ANSWER)


def _has_own_fields(prompt: Prompt) -> bool:
    if _BETA in prompt.headers or not _RIGHTS.isdisjoint(prompt.options):
        return True
    if any(tool.kind not in ("function", "custom") for tool in prompt.tools):
        return True
    return any(_extras(prompt))


def _extras(prompt: Prompt) -> Iterator[Mapping[str, Any]]:
    """Yield the fields that are unknown here, at each of their places."""
    yield {name: value for name, value in prompt.extra.items() if name not in _NOT_SENT}
    yield from (tool.extra for tool in prompt.tools)
    if prompt.format is not None:
        yield prompt.format.extra
    for message in prompt.messages:
        yield from _extras_of(message)


def _extras_of(message: Message) -> Iterator[Mapping[str, Any]]:
    yield message.extra
    yield from (call.extra for call in message.calls)
    yield from (part.value if isinstance(part, Opaque) else part.extra for part in message.parts)
