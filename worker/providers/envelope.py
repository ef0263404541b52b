"""Envelopes for what only the server that sent it understands, such as signatures and encrypted reasoning.

Such a string leaves as `bcg1.`, then its kind, model and value as JSON in base64url, then an HMAC. On its way back it
is taken out for a server of the same kind and model. For any other, or with a wrong HMAC, the object that contains it
is left out: a server would refuse it. A string without an envelope is a client's own, and remains.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from wire.prompt import Message, Opaque, Part, Prompt, Thought, ToolCall

PREFIX = "bcg1."
# The fields that hold such strings anywhere, and the one that does inside of reasoning.
_SEALED = frozenset({"thought_signature", "thoughtSignature", "signature", "encrypted_content"})
_DATA = "data"
_REASONING = frozenset({"reasoning_details", "redacted_thinking", "reasoning.encrypted"})
# How many of a prompt are opened: one for each message of a long conversation.
MOST_OPENED = 5000
# How deep a value is looked into.
_DEEPEST = 64
# One envelope; a stream may send a string in parts, each of which got its own.
_ENVELOPE = re.compile(r"bcg1\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})")
_ENVELOPES = re.compile(rf"(?:{_ENVELOPE.pattern})+")


class _UnopenedError(Exception):
    """A string whose object is to be left out."""


@dataclass(frozen=True)
class Envelopes:
    """The envelopes for one kind of server and one model. `secret` is what all workers share."""

    secret: bytes = field(repr=False)
    kind: str
    model: str

    def wrap(self, value: str) -> str:
        """Return a string in an envelope."""
        content = _encode(msgspec.json.encode([self.kind, self.model, value]))
        return f"{PREFIX}{content}.{self._sign(content)}"

    def unwrap(self, text: str) -> str | None:
        """Return the string in an envelope, or one that has none; None for another server's, or a wrong HMAC."""
        return _Opener(self).unwrap(text)

    def seal(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Return extra fields with such strings in envelopes."""
        return {name: self._seal(value, name, inside=False) for name, value in extra.items()}

    def open(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Return extra fields with such strings out of their envelopes, without the objects of others."""
        return _Opener(self).open(extra)

    def open_prompt(self, prompt: Prompt) -> Prompt:
        """Return a prompt for this kind of server and model.

        Of more envelopes than anybody's conversation has, the newest messages' are opened; the others are left out.
        """
        opener = _Opener(self)
        messages = tuple(opener.open_message(message) for message in reversed(prompt.messages))
        return msgspec.structs.replace(prompt, messages=messages[::-1])

    def check(self, content: str, signature: str) -> str | None:
        """Return the value in one envelope; None for another server's, or a wrong HMAC."""
        if not hmac.compare_digest(signature, self._sign(content)):
            return None
        try:
            kind, model, value = msgspec.json.decode(_decode(content), type=tuple[str, str, str])
        except (msgspec.DecodeError, ValueError):
            return None
        return value if (kind, model) == (self.kind, self.model) else None

    @cached_property
    def _key(self) -> bytes:
        return hmac.digest(self.secret, b"envelope", hashlib.sha256)

    def _sign(self, content: str) -> str:
        return _encode(hmac.digest(self._key, content.encode(), hashlib.sha256))

    def _seal(self, value: Any, name: str, *, inside: bool) -> Any:
        """Return a field's value; `inside` of reasoning its data is such a string too."""
        match value:
            case str():
                return self.wrap(value) if value and (name in _SEALED or (inside and name == _DATA)) else value
            case list():
                return [self._seal(item, "", inside=inside or name in _REASONING) for item in value]
            case dict():
                kind = value.get("type")
                inside = inside or name in _REASONING or (isinstance(kind, str) and kind in _REASONING)
                return {key: self._seal(item, key, inside=inside) for key, item in value.items()}
        return value


class _Opener:
    """Takes the strings of one prompt out of their envelopes, of the first so many: each takes time for its HMAC."""

    def __init__(self, envelopes: Envelopes) -> None:
        self._envelopes = envelopes
        self._left = MOST_OPENED

    def unwrap(self, text: str) -> str | None:
        """Return the string in an envelope, or one that has none; None for what is to be left out."""
        if not text.startswith(PREFIX):
            return text
        if self._left <= 0 or _ENVELOPES.fullmatch(text) is None:
            return None
        values: list[str] = []
        for match in _ENVELOPE.finditer(text):
            self._left -= 1
            value = self._envelopes.check(*match.groups()) if self._left >= 0 else None
            if value is None:
                return None
            values.append(value)
        return "".join(values)

    def open(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """Return extra fields without the objects of others."""
        return {name: opened for name, value in extra.items() for opened in self._opened(value)}

    def open_message(self, message: Message) -> Message:
        """Return a message without the objects of others."""
        if not (message.extra or message.calls or any(isinstance(part, Opaque | Thought) for part in message.parts)):
            return message
        return msgspec.structs.replace(
            message,
            parts=self._open_parts(message.parts),
            calls=tuple(map(self._open_call, message.calls)),
            extra=self.open(message.extra),
        )

    def _open_parts(self, parts: Sequence[Part]) -> tuple[Part, ...]:
        opened: list[Part] = []
        for part in parts:
            if isinstance(part, Opaque):
                opened += [Opaque(value) for value in self._opened(part.value)]
            elif isinstance(part, Thought):
                opened += [Thought(part.text, extra) for extra in self._opened(part.extra)]
            else:
                opened.append(part)
        return tuple(opened)

    def _open_call(self, call: ToolCall) -> ToolCall:
        return msgspec.structs.replace(call, extra=self.open(call.extra)) if call.extra else call

    def _opened(self, value: Any, depth: int = _DEEPEST) -> list[Any]:
        """Return a value that remains, alone; nothing for an object that doesn't. What is nested too deep stays."""
        if isinstance(value, str):
            return [] if (text := self.unwrap(value)) is None else [text]
        try:
            return [self._open_value(value, depth)]
        except _UnopenedError:
            return []

    def _open_value(self, value: Any, depth: int) -> Any:
        match value:
            case str():
                if (opened := self.unwrap(value)) is None:
                    raise _UnopenedError
                return opened
            case list() if depth:
                return [opened for item in value for opened in self._opened(item, depth - 1)]
            case dict() if depth:
                return self._open_object(value, depth - 1)
        return value

    def _open_object(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        """Return an object without inner ones that can't be opened. _UnopenedError if one of its own strings can't."""
        opened: dict[str, Any] = {}
        for name, item in value.items():
            values = [self._open_value(item, depth)] if isinstance(item, str) else self._opened(item, depth)
            opened.update((name, one) for one in values)
        return opened


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
