"""Read an answer of Anthropic's API from the events of its stream, or from a whole message."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec

from wire.blocks import Block, Piece, is_text, join_text
from wire.messages import EndReason, FinishReason, Source
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.anthropic.answer_blocks import AnswerBlocks
from worker.providers.anthropic.message_usage import parse_usage
from worker.providers.envelope import Envelopes
from worker.providers.fields_beside import FieldsBeside
from worker.providers.openai.errors import has_error, parse_error
from worker.providers.openai.stream import DONE, LONGEST_ADDRESS, LONGEST_TITLE, MOST_SOURCES, decode_chunk
from worker.providers.surrogates import clean_json, join_surrogates

# The largest number of kinds of tokens that are counted, of bytes of one kind's, and of characters of the word for the
# answer's end.
_MOST = 100
_MAX_COUNTED = 16 * 1024
_LONGEST_WORD = 100
# Why an answer ended, by the server's word; any other word is an ordinary end.
_FINISHES: Mapping[str, FinishReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_REFUSAL = "refusal"


class _AddedText(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: Literal["text_delta"]
    text: str


class _TextEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What nearly all events of an answer are."""

    type: Literal["content_block_delta"]
    index: int
    delta: _AddedText


_text_event = msgspec.json.Decoder(_TextEvent)


class MessageStream:
    """One answer. `done`: nothing more is to be read; `ended`: why it ended is known, and what follows undoes nothing.

    `secret` is the key, which no error contains. What only the server understands leaves in `envelopes`; without them
    clients get no extra fields. `custom` are the names of tools that get any text.
    """

    def __init__(self, secret: str = "", envelopes: Envelopes | None = None, custom: Collection[str] = ()) -> None:
        self._secret = secret
        self._envelopes = envelopes
        self._answer = AnswerBlocks(envelopes, custom)
        self._blocks: tuple[Block, ...] | None = None
        self.done = False
        self._is_message = False
        self._stop_reason = ""
        self._usage: dict[str, Any] = {}
        self._fields_beside = FieldsBeside()
        self._titles: dict[str, str] = {}

    @property
    def ended(self) -> bool:
        """Whether the server has sent the answer's end, in either way."""
        return self.done or bool(self._stop_reason)

    @property
    def size(self) -> int:
        """How much of the answer has arrived; it grows with each part."""
        return self._answer.size

    def take(self) -> tuple[Piece, ...]:
        """Return the pieces that the answer has more than at the last call."""
        return self._answer.take()

    def read(self, data: str) -> None:
        """Read one event's data, or a document. UpstreamError if it is none of the API's, or reports a failure."""
        if data.strip().upper() == DONE:
            # Of servers that speak the other API too.
            self.done = self.ended
            return
        event = decode_chunk(data)
        if not isinstance(event, dict):
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "an event that is no object")
        if has_error(event):
            raise self._to_error(event)
        self._read_event(event)

    def read_common(self, data: bytes) -> bool:
        """Read an event that only adds text to a block, exactly as `read` does; return whether it is one."""
        try:
            event = _text_event.decode(data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        self._is_message = True
        self._answer.add({"type": event.delta.type, "text": event.delta.text}, event.index)
        return True

    def end_document(self) -> None:
        """Take a document that was read whole for the whole answer, as the response ends with it."""
        self.done = self.done or self._is_message

    def completion(self, state: bytes) -> Completion:
        """Return the whole answer, whose last pieces are to be taken after that.

        UpstreamError if the server has sent neither its end nor why it ends.
        """
        if not self._is_message:
            raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "no message")
        if not self.ended:
            raise UpstreamError(Reason.TRANSPORT_CLOSED, "neither a stop_reason nor message_stop")
        finish = _FINISHES.get(self._stop_reason, "stop")
        if self._blocks is None:
            # Who doesn't say why the answer ended may have broken off.
            self._blocks = self._answer.end(cut=finish != "stop" or not self._stop_reason)
        blocks = self._blocks
        return Completion(
            join_text(blocks),
            state,
            tuple(Source(title or url, url) for url, title in self._titles.items()),
            usage=parse_usage(self._usage),
            finish=finish,
            blocks=() if is_text(blocks) else blocks,
            ended=_end_reason(self._stop_reason, finish, blocks),
            finish_raw=join_surrogates(self._stop_reason)[:_LONGEST_WORD],
            extra=self._fields_beside.fields,
        )

    def _read_event(self, event: Mapping[str, Any]) -> None:
        """Read an event; there may be further kinds of them, and of deltas, at any time."""
        match event.get("type"):
            case "message":
                self._read_whole(event)
            case "message_start":
                message = _object(event.get("message"))
                self._is_message = True
                self._count(message.get("usage"))
            case "content_block_start":
                self._is_message = True
                self._start(_object(event.get("content_block")), event.get("index"))
            case "content_block_delta":
                self._is_message = True
                delta = _object(event.get("delta"))
                self._cite([delta.get("citation")])
                self._answer.add(delta, event.get("index"))
            case "content_block_stop":
                self._answer.stop()
            case "message_delta":
                self._is_message = True
                self._count(event.get("usage"))
                rest = {name: value for name, value in event.items() if name not in ("type", "delta", "usage")}
                self._read_end({**rest, **_object(event.get("delta"))})
            case "message_stop":
                self.done = True

    def _read_whole(self, message: Mapping[str, Any]) -> None:
        """Read a message that didn't come in parts."""
        self._is_message = True
        content = message.get("content")
        for block in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            if isinstance(block, dict):
                self._start(block)
                self._answer.stop()
        self._count(message.get("usage"))
        known = ("id", "type", "role", "model", "content", "usage")
        self._read_end({name: value for name, value in message.items() if name not in known})

    def _start(self, block: Mapping[str, Any], index: Any = None) -> None:
        citations = block.get("citations")
        self._cite(citations if isinstance(citations, list) else [])
        self._answer.start(block, index)

    def _read_end(self, fields: Mapping[str, Any]) -> None:
        """Read why it ends, and what else is beside the blocks."""
        reason = fields.get("stop_reason")
        self._stop_reason = reason if isinstance(reason, str) and reason else self._stop_reason
        beside = {name: value for name, value in fields.items() if name != "stop_reason" and value is not None}
        if beside and self._envelopes is not None:
            self._fields_beside.add(self._envelopes.seal(clean_json(beside)))

    def _count(self, usage: Any) -> None:
        """Take tokens that the server counts: the later ones include the earlier ones."""
        for name, value in _mapping(usage).items():
            known = name in self._usage or len(self._usage) < _MOST
            if value is not None and known and len(msgspec.json.encode(clean_json({name: value}))) <= _MAX_COUNTED:
                self._usage[name] = value

    def _cite(self, citations: Sequence[Any]) -> None:
        """Add the pages that citations name. Each counts once, where it came first."""
        for citation in citations:
            source = _mapping(citation)
            url, title = source.get("url"), source.get("title")
            if not isinstance(url, str) or len(url) > LONGEST_ADDRESS or len(self._titles) >= MOST_SOURCES:
                continue
            if url.startswith(("https://", "http://")):
                known = join_surrogates(title[:LONGEST_TITLE]) if isinstance(title, str) else ""
                self._titles.setdefault(join_surrogates(url), known)

    def _to_error(self, event: Mapping[str, Any]) -> UpstreamError:
        """Return the error of an event; once the answer has begun it isn't a refusal, whatever its type is."""
        error = parse_error(event).to_upstream_error(secret=self._secret)
        return UpstreamError(Reason.UPSTREAM_INTERNAL, error.detail) if self._answer.has_begun else error


def _end_reason(word: str, finish: FinishReason, blocks: Sequence[Block]) -> EndReason | Literal[""]:
    """Return why the answer ended, if that says more than `finish`."""
    if word == _REFUSAL:
        return "refusal"
    return "tool_calls" if finish == "stop" and any(block.kind == "tool_call" for block in blocks) else ""


def _object(value: Any) -> dict[str, Any]:
    """Return an object. UpstreamError if the value is none."""
    if not isinstance(value, dict):
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "an event of another shape")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
