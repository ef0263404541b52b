"""The kind of chunk that nearly all of an answer consists of: one choice with a text, and nothing new beside it.

It is decoded without the objects that any other chunk needs, and is none if a field is unknown here or of another type.
"""

from typing import Any

import msgspec

# The fields beside the choices that clients get, and which servers mostly send with each chunk.
BESIDE = ("system_fingerprint", "service_tier", "provider")


class _TextDelta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    content: str
    role: str | None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None
    reasoning: None = None
    reasoning_content: None = None


class _TextChoice(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    delta: _TextDelta
    index: int = 0
    finish_reason: None = None
    logprobs: None = None
    native_finish_reason: str | None = None
    stop_reason: None = None
    token_ids: None = None


class CommonChunk(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A chunk that adds `text`, with what is `beside` its choices by the names of BESIDE."""

    choices: tuple[_TextChoice]
    id: str = ""
    object: str = ""
    created: int | float = 0
    model: str = ""
    system_fingerprint: str | None = None
    service_tier: str | None = None
    provider: str | None = None
    usage: None = None
    obfuscation: str | None = None

    @property
    def text(self) -> str:
        """The text; it may be empty."""
        return self.choices[0].delta.content

    @property
    def beside(self) -> tuple[Any, ...]:
        """What clients get of the fields beside the choices."""
        return (self.system_fingerprint, self.service_tier, self.provider)


COMMON_FIELDS = frozenset(CommonChunk.__struct_fields__)
_common = msgspec.json.Decoder(CommonChunk)


def decode_common(data: bytes) -> CommonChunk | None:
    """Return a common chunk; None for any other one, and for what is no JSON."""
    try:
        return _common.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
