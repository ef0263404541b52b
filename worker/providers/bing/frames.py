"""Frames of the ChatHub's protocol: JSON records, each ended by 0x1E, one or more in a WebSocket message.

Only the fields that are used are decoded. Nested values that are needed once (cards, sources, suggestions) stay raw
until then: the text is cumulative, so that each record repeats everything.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from wire.messages import Source
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers.openai.stream import LONGEST_ADDRESS, LONGEST_TITLE, MOST_SOURCES

DELIMITER = "\x1e"
_DELIMITER = DELIMITER.encode()
UPDATE, FINAL, COMPLETION, REQUEST, PING, CLOSE = 1, 2, 3, 4, 6, 7

# The references that a card puts before the text: lines such as `[1]: https://example.com "Title"`.
_REFERENCES = re.compile(r'\A(?:\[\d+\]: \S+(?: ".*")?\n)+\n*')

# The largest number of records in a message, and of bytes of one whose halves of surrogate pairs are dropped.
MOST_RECORDS = 1000
LONGEST_MENDED = 256 * 1024
# The largest number of suggestions, of characters of one, and of bytes of a hidden text that holds some.
MOST_SUGGESTIONS = 100
LONGEST_SUGGESTION = 1000
_LONGEST_HIDDEN = 16 * 1024

_NOTHING = msgspec.Raw(b"")


class ChatHubMessage(msgspec.Struct, rename="camel", gc=False):
    """One message of a conversation; with a `message_type` it is an internal one."""

    text: str | None = None
    author: str | None = None
    message_type: str | None = None
    content_origin: str | None = None
    hidden_text: str | None = None
    adaptive_cards: msgspec.Raw = _NOTHING
    source_attributions: msgspec.Raw = _NOTHING
    suggested_responses: msgspec.Raw = _NOTHING

    @property
    def is_answer(self) -> bool:
        """Whether it is meant for the user; progress, searches and the like have a type."""
        return self.author == "bot" and not self.message_type

    @property
    def shown(self) -> str:
        """The text, else that of the first card's first block with a text, without references."""
        if self.text:
            return self.text
        for card in _objects(_loads(self.adaptive_cards))[:1]:
            for block in _objects(card.get("body")):
                if text := _string(block.get("text")):
                    return _REFERENCES.sub("", text)
        return ""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The pages that it cites, on the web."""
        cited = (
            Source(
                (_string(entry.get("providerDisplayName")) or _string(entry.get("title")) or url)[:LONGEST_TITLE], url
            )
            for entry in _objects(_loads(self.source_attributions))
            if (url := _string(entry.get("seeMoreUrl"))).startswith(("https://", "http://"))
            and len(url) <= LONGEST_ADDRESS
        )
        return tuple(itertools.islice(cited, MOST_SOURCES))

    @property
    def suggestions(self) -> tuple[str, ...]:
        """The questions that the user might ask next."""
        if self.message_type == "InternalSuggestions":
            hidden = self.hidden_text or ""
            if len(hidden) > _LONGEST_HIDDEN:
                return ()
            suggestions = _loads(hidden[hidden.find("{") : hidden.rfind("}") + 1].encode())
            offered = suggestions.get("suggestedUserResponses") if isinstance(suggestions, dict) else None
            return _bounded(map(_string, offered if isinstance(offered, list) else []))
        if not self.suggested_responses:
            return ()
        entries = _objects(_loads(self.suggested_responses))
        return _bounded(_string(entry.get("text")) for entry in entries)


class ChatHubQuota(msgspec.Struct, gc=False):
    """The number of questions that a conversation has had, and its limit."""

    limit: int | None = msgspec.field(default=None, name="maxNumUserMessagesInConversation")
    used: int | None = msgspec.field(default=None, name="numUserMessagesInConversation")


class ChatHubUpdate(msgspec.Struct, gc=False):
    """The content of an update: messages, or counters, or neither (a cursor)."""

    messages: list[ChatHubMessage] | None = None
    throttling: ChatHubQuota | None = None


class ChatHubResult(msgspec.Struct, gc=False):
    """The result of a turn."""

    value: str = ""
    message: str | None = None


class ChatHubItem(msgspec.Struct, gc=False):
    """The end of a turn. After failures most fields are missing."""

    messages: list[ChatHubMessage] | None = None
    throttling: ChatHubQuota | None = None
    result: ChatHubResult | None = None


class ChatHubFrame(msgspec.Struct, gc=False):
    """One record; its type determines which fields it has."""

    type: int = 0
    target: str | None = None
    arguments: list[ChatHubUpdate] | None = None
    item: ChatHubItem | None = None
    error: str | None = None


class _Outgoing(msgspec.Struct, gc=False):
    type: int = 0


_frame = msgspec.json.Decoder(ChatHubFrame)
_outgoing = msgspec.json.Decoder(_Outgoing)
_any = msgspec.json.Decoder()

# Escapes in JSON, whole surrogate pairs first, so that the group `half` matches only halves.
_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


def read_frames(message: bytes) -> Iterator[ChatHubFrame]:
    """Parse the records in a WebSocket message, UTF-8. UpstreamError if one violates the protocol.

    Half a surrogate pair, with which a cumulative text may end, is dropped: the next record contains the whole pair.
    """
    records = message.split(_DELIMITER, MOST_RECORDS)
    if len(records) > MOST_RECORDS:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "too many records in a message")
    for record in records:
        if record:
            yield _decode(record)


def outgoing_type(message: str) -> int:
    """Return the type of a record that a client sends; 0 for the handshake."""
    return _outgoing.decode(message.removesuffix(DELIMITER)).type


def _decode(record: bytes, *, is_mended: bool = False) -> ChatHubFrame:
    try:
        return _frame.decode(record)
    except msgspec.ValidationError as error:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, str(error)) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        # Once: what is left then may be made to become halves again, thousands of times.
        if not is_mended and len(record) <= LONGEST_MENDED:
            return _decode(_ESCAPES.sub(lambda escape: b"" if escape["half"] else escape[0], record), is_mended=True)
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, f"not JSON: {error}") from error


def _bounded(suggestions: Iterable[str]) -> tuple[str, ...]:
    usable = (text for text in suggestions if 0 < len(text) <= LONGEST_SUGGESTION)
    return tuple(itertools.islice(usable, MOST_SUGGESTIONS))


def _loads(data: msgspec.Raw | bytes) -> Any:
    try:
        return _any.decode(data) if data else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
