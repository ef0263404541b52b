"""Read an answer of the OpenAI API from the chunks of its stream."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import msgspec

from wire.blocks import Block, BlockKind, Piece, is_text, join_text
from wire.messages import EndReason, FinishReason, Source, Usage
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.call_records import REASONING_FIELDS
from worker.providers.fields_beside import FieldsBeside
from worker.providers.openai.call_fragments import parse_calls, parse_legacy_call
from worker.providers.openai.common_chunk import BESIDE, COMMON_FIELDS, decode_common
from worker.providers.openai.errors import has_error, parse_error
from worker.providers.openai.normaliser import MAX_ANSWER, Normaliser, text_bytes
from worker.providers.openai.thoughts import ThoughtSplitter
from worker.providers.openai.usage import parse_usage
from worker.providers.surrogates import clean_json

DONE = "[DONE]"
# What some servers put around it.
_AROUND_DONE = "\"' \t\r\n\0"
# The largest number of sources and suggestions of an answer, of characters of a source's address and of its title, and
# of characters of a server's own word for its end.
MOST_SOURCES = 100
_MOST = 100
LONGEST_ADDRESS = 4096
LONGEST_TITLE = 1000
_LONGEST_WORD = 100

# Why an answer ended, by the server's word in lower case; any other word is an ordinary end.
_FINISHES: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
    "sensitive": "content_filter",
}
# Words that mean no end, and those for an answer that the server has broken off.
_NO_FINISH = frozenset({"", "null", "none"})
_BROKEN = frozenset(
    {"error", "abort", "timeout", "canceled", "cancelled", "network_error", "insufficient_system_resource"}
)

# The kinds of parts that are text, and those that are reasoning.
_TEXTS = frozenset({None, "text", "output_text", "input_text"})
_REASONINGS = frozenset({"thinking", "reasoning", "reasoning_text"})
# What is read of a message, and what is beside the choices of a chunk; everything else are extra fields.
_KNOWN = frozenset({"role", "content", "text", "refusal", "tool_calls", "function_call", "annotations"})
_PLAIN_CHUNK = frozenset({"id", "object", "created", "model", "choices"})
_KNOWN_BESIDE = _PLAIN_CHUNK | {"usage", "error", "errors", "obfuscation", "related_questions"}
# An error that `transformers serve` reports: it puts torch's words into JSON as they are, with quotes and line ends.
_UNESCAPED_ERROR = re.compile(r'\s*\{\s*"error"\s*:\s*"(?P<message>.{1,2000})', re.DOTALL)


class CompletionStream:
    """One answer. `done`: nothing more is to be read.

    One completion is asked for, so the first choice of each chunk is it, whatever its index. `secret` is the key, which
    no error contains. `thoughts` splits reasoning off the text. `seal` returns extra fields as clients get them; they
    get none without it.
    """

    def __init__(
        self,
        secret: str = "",
        thoughts: ThoughtSplitter | None = None,
        seal: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self._secret = secret
        self._thoughts = thoughts
        self._seal = seal
        self._answer = Normaliser()
        self._blocks: tuple[Block, ...] | None = None
        self.done = False
        # The field in which the server sends reasoning.
        self.reasoning_field = ""
        self._finish: str | None = None
        self._has_choice = False
        self._has_delta = False
        self._titles: dict[str, str] = {}
        self._suggestions: tuple[str, ...] = ()
        self._usage: Usage | None = None
        self._fields_beside = FieldsBeside()
        # What was beside the choices of the last chunk, where that was nothing but what common chunks may have there.
        self._beside: tuple[Any, ...] | None = None
        # How long the text was when it was last joined.
        self._text_size = 0
        # How much text `thoughts` has got, of which some may be held back.
        self._split_size = 0

    @property
    def text(self) -> str:
        """The text so far."""
        return self._answer.text

    @property
    def size(self) -> int:
        """How much of the answer has arrived; it grows with each part."""
        return self._answer.size + self._split_size

    @property
    def ended(self) -> bool:
        """Whether the server has sent the end of the text, in either way; what follows undoes nothing."""
        return self.done or self._finish is not None

    def take(self) -> tuple[Piece, ...]:
        """Return the pieces that the answer has more than at the last call."""
        return self._answer.take()

    def read(self, data: str) -> None:
        """Read one event's data, or a document. UpstreamError if it is no chunk, or reports a failure."""
        if data.strip(_AROUND_DONE).upper() == DONE:
            self.done = True
            return
        value = decode_chunk(data)
        # Some servers send all chunks as one list.
        for chunk in value if isinstance(value, list) and value else [value]:
            self._read_chunk(chunk)

    def read_common(self, data: bytes) -> bool:
        """Read a chunk that only adds text to the answer, exactly as `read` does; return whether it is one."""
        chunk = decode_common(data)
        if chunk is None or chunk.beside != self._beside:
            return False
        self._has_choice = True
        if text := chunk.text:
            self._add_content("text", text)
            self._has_delta = True
        return True

    def end_document(self) -> None:
        """Take a document that was read whole for the whole answer, as the response ends with it."""
        self.done = self.done or self._has_choice

    def completion(self, state: bytes) -> Completion:
        """Return the whole answer, whose last pieces are to be taken after that.

        UpstreamError if the server has sent neither its end nor a finish_reason.
        """
        if not self.ended:
            raise UpstreamError(Reason.TRANSPORT_CLOSED, f"neither a finish_reason nor {DONE}")
        sources = tuple(Source(title or url, url) for url, title in self._titles.items())
        word = (self._finish or "").lower()
        finish = _FINISHES.get(word, "stop")
        blocks = self._end(cut=finish != "stop")
        return Completion(
            join_text(blocks),
            state,
            sources,
            self._suggestions,
            usage=self._usage,
            finish=finish,
            blocks=() if is_text(blocks) else blocks,
            ended=_end_reason(word, finish, blocks),
            finish_raw=clean_json(self._finish or "")[:_LONGEST_WORD],
            extra=self._fields_beside.fields,
        )

    def _end(self, *, cut: bool) -> tuple[Block, ...]:
        if self._blocks is None:
            for kind, text in self._thoughts.end() if self._thoughts else ():
                self._answer.add(kind, text)
            self._blocks = self._answer.end(cut=cut)
        return self._blocks

    def _read_chunk(self, chunk: Any) -> None:
        self._beside = None
        if not isinstance(chunk, dict):
            raise _protocol_error("a chunk that is no object")
        if has_error(chunk):
            raise self._to_error(chunk)
        choice = _first_choice(chunk.get("choices"))
        if "usage" in choice:
            self._usage = parse_usage({}, choice) or self._usage
        if choice:
            self._has_choice = True
            self._read_choice(choice)
        if not chunk.keys() <= _PLAIN_CHUNK:
            self._read_beside(chunk)
        if chunk.keys() <= COMMON_FIELDS:
            self._beside = tuple(chunk.get(name) for name in BESIDE)

    def _read_beside(self, chunk: dict[str, Any]) -> None:
        """Read what is beside the choices."""
        self._usage = parse_usage(chunk, {}) or self._usage
        self._cite(chunk.get("citations"))
        self._cite(chunk.get("search_results"))
        related = chunk.get("related_questions")
        questions = related if isinstance(related, list) else []
        self._suggestions = tuple(filter(None, map(_string, questions[:_MOST]))) or self._suggestions
        if extra := self._extra_fields(chunk, _KNOWN_BESIDE):
            self._fields_beside.add(extra)

    def _read_choice(self, choice: dict[str, Any]) -> None:
        finish = _finish_reason(choice.get("finish_reason"))
        if finish is not None and finish.lower() not in _BROKEN:
            # First of all: nothing odd in a chunk that ends the answer undoes it.
            self._finish = finish
        delta, message = _message(choice.get("delta")), choice.get("message")
        self._read_annotations(delta.get("annotations"))
        logprobs = choice.get("logprobs")
        of_delta, of_message = (logprobs, None) if delta or not message else (None, logprobs)
        has_grown = self._read_message(delta or {"content": choice.get("text")}, of_delta)
        self._has_delta = self._has_delta or has_grown
        if isinstance(message, dict | str):
            message = _message(message)
            self._read_annotations(message.get("annotations"))
            if not has_grown:
                self._read_whole(message, of_message)
        if finish is not None and finish.lower() in _BROKEN:
            if has_error({"error": choice.get("error")}):
                raise self._to_error(choice)
            raise UpstreamError(Reason.UPSTREAM_INTERNAL, f"finish_reason {finish.lower()}")

    def _read_whole(self, message: dict[str, Any], logprobs: Any) -> None:
        """Read a message that isn't a delta. Beside deltas, or as the end, it may repeat the whole."""
        content = message.get("content")
        if not self._has_delta:
            text = _text(content)
            begun = self._finish is not None and self._answer.has_begun
            repeats = begun and self._repeats(text) and self._text_size > 0
            self._read_message({**message, "content": text[self._text_size :]} if repeats else message, logprobs)
            return
        seen = self._answer.kinds
        beyond = content[self._text_size :] if isinstance(content, str) and self._repeats(content) else ""
        new: dict[str, Any] = {"content": beyond}
        for kind, names in (
            ("reasoning", REASONING_FIELDS),
            ("refusal", ("refusal",)),
            ("tool_call", ("tool_calls", "function_call")),
        ):
            if kind not in seen:
                new |= {name: message[name] for name in names if name in message}
        self._read_message(new, None)

    def _repeats(self, whole: str) -> bool:
        """Return whether a text begins with all of the answer's so far, whose size is known then."""
        # To join the text for each of many shorter ones would take quadratic time.
        if len(whole) < self._text_size:
            return False
        text = self.text
        self._text_size = len(text)
        return whole.startswith(text)

    def _read_message(self, fields: dict[str, Any], logprobs: Any) -> bool:
        """Read a message or a part of one, in the order in which models answer. Return whether it has any content."""
        if len(fields) == 1 and isinstance(plain := fields.get("content"), str) and logprobs is None:
            # Nearly all of an answer's chunks.
            if plain:
                self._add_content("text", plain)
            return bool(plain)
        contents = _contents(fields.get("content"))
        if not contents and isinstance(text := fields.get("text"), str) and text:
            contents = [("text", text)]
        calls = [*parse_calls(fields.get("tool_calls")), *parse_legacy_call(fields.get("function_call"))]
        if len(calls) > 1:
            self._answer.measure_fragments(calls)
        refusal = fields.get("refusal")
        extra = self._extra_fields(fields, _KNOWN) | self._other_annotations(fields.get("annotations"))
        reasoning = self._take_reasoning(fields, extra)
        for kind, part in contents:
            self._add_content(kind, part)
        if isinstance(refusal, str):
            self._answer.add("refusal", refusal)
        if isinstance(logprobs, dict) and self._seal is not None:
            extra["logprobs"] = clean_json(logprobs)
        self._answer.add_extra(extra)
        for fragment in calls:
            self._answer.add_call(replace(fragment, extra=self._sealed(fragment.extra)))
        return bool(contents or calls or refusal or reasoning)

    def _take_reasoning(self, fields: dict[str, Any], extra: dict[str, Any]) -> bool:
        """Read the reasoning, with what belongs to it of the extra fields. Return whether there is any."""
        texts = {name: fields[name] for name in REASONING_FIELDS if isinstance(fields.get(name), str)}
        for name in texts:
            extra.pop(name, None)
        field = next((name for name, text in texts.items() if text), None)
        if field is None:
            return False
        self.reasoning_field = field
        beside = {other: extra.pop(other) for other in list(extra) if other.startswith(("reasoning", "thinking"))}
        self._answer.add("reasoning", texts[field], beside)
        return True

    def _other_annotations(self, annotations: Any) -> dict[str, Any]:
        """Return the annotations that are no sources."""
        if not isinstance(annotations, list) or self._seal is None:
            return {}
        others = [note for note in annotations if isinstance(note, dict) and note.get("type") != "url_citation"]
        return self._sealed({"annotations": others} if others else {})

    def _add_content(self, kind: BlockKind, part: Any) -> None:
        if kind == "opaque":
            self._answer.add_extra(self._sealed({"content_parts": [part]}))
        elif kind == "text" and self._thoughts is not None:
            self._split_size += text_bytes(part)
            if self._split_size > MAX_ANSWER:
                raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an answer without an end")
            for split, text in self._thoughts.feed(part):
                self._answer.add(split, text)
        else:
            self._answer.add(kind, part)

    def _extra_fields(self, fields: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
        """Return the fields that aren't known, without empty ones."""
        if self._seal is None:
            return {}
        return self._sealed(
            {name: value for name, value in fields.items() if name not in known and not _is_empty(value)}
        )

    def _sealed(self, extra: dict[str, Any]) -> dict[str, Any]:
        return self._seal(clean_json(extra)) if extra and self._seal is not None else {}

    def _read_annotations(self, annotations: Any) -> None:
        if isinstance(annotations, list):
            citations = [note for note in annotations if isinstance(note, dict) and note.get("type") == "url_citation"]
            self._cite([citation.get("url_citation", citation) for citation in citations])

    def _cite(self, sources: Any) -> None:
        """Add sources: URLs, or objects with a URL and perhaps a title. Each URL counts once, where it came first."""
        for source in sources[:MOST_SOURCES] if isinstance(sources, list) else ():
            entry = source if isinstance(source, dict) else {"url": source}
            url, title = _string(entry.get("url")), _string(entry.get("title"))[:LONGEST_TITLE]
            known = url in self._titles or (len(self._titles) < MOST_SOURCES and len(url) <= LONGEST_ADDRESS)
            if known and url.startswith(("https://", "http://")):
                self._titles[url] = self._titles.get(url) or title

    def _to_error(self, chunk: dict[str, Any]) -> UpstreamError:
        """Return the error that a chunk reports; once the answer has begun it isn't a refusal, whatever its code is."""
        error = parse_error(chunk).to_upstream_error(secret=self._secret)
        return UpstreamError(Reason.UPSTREAM_INTERNAL, error.detail) if self._answer.has_begun else error


def _end_reason(word: str, finish: FinishReason, blocks: Sequence[Block]) -> EndReason | Literal[""]:
    """Return why the answer ended, if that says more than `finish`."""
    kinds = {block.kind for block in blocks}
    if word == "refusal" or (finish == "stop" and "refusal" in kinds):
        return "refusal"
    return "tool_calls" if finish == "stop" and "tool_call" in kinds else ""


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def decode_chunk(data: str) -> Any:
    """Return an event's JSON, also where a server writes it carelessly.

    UpstreamError `upstream.protocol`.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        # json accepts NaN, and halves of surrogate pairs: some servers split characters over two chunks; and control
        # characters that aren't escaped.
        return json.loads(data, strict=False)
    except (ValueError, RecursionError) as error:
        if unescaped := _UNESCAPED_ERROR.match(data):
            return {"error": unescaped["message"]}
        raise _protocol_error("a chunk that is not JSON") from error


def _protocol_error(description: str) -> UpstreamError:
    return UpstreamError(Reason.UPSTREAM_PROTOCOL, description)


def _first_choice(choices: Any) -> dict[str, Any]:
    """Return the first of the choices, empty if there is none. Some servers send an object in place of the list."""
    if isinstance(choices, dict) and not choices.keys() & {"delta", "message", "text", "finish_reason"}:
        choices = list(choices.values())
    if isinstance(choices, list):
        choices = choices[0] if choices else None
    return _object(choices)


def _object(value: Any) -> dict[str, Any]:
    """Return an object that may be missing. UpstreamError if the value is of another type."""
    if value and not isinstance(value, dict):
        raise _protocol_error("a chunk of another shape")
    return value or {}


def _message(value: Any) -> dict[str, Any]:
    """Return a delta or message, empty if there is none; some servers send only its text."""
    return {"content": value} if isinstance(value, str) else _object(value)


def _finish_reason(value: Any) -> str | None:
    """Return the server's word for why the answer ended; None if it hasn't."""
    if isinstance(value, str):
        return None if value.strip().lower() in _NO_FINISH else value.strip()
    return "stop" if value else None


def _string(value: Any) -> str:
    """Return a text without halves of surrogate pairs; empty for a value of another type."""
    return value.encode(errors="ignore").decode() if isinstance(value, str) else ""


def _text(content: Any) -> str:
    """Return the text of a content. UpstreamError if it is of another type."""
    return "".join(part for kind, part in _contents(content) if kind == "text")


def _contents(content: Any) -> list[tuple[BlockKind, Any]]:
    """Return what is in a content, which is a text or parts. UpstreamError if it is of another type."""
    if isinstance(content, str):
        return [("text", content)] if content else []
    if content is None or isinstance(content, bool):
        return []
    parts = [content] if isinstance(content, dict) else content
    if not isinstance(parts, list):
        raise _protocol_error("a text of another shape")
    return [read for part in parts if (read := _part(part)) is not None]


def _part(part: Any) -> tuple[BlockKind, Any] | None:
    if isinstance(part, str):
        return ("text", part) if part else None
    if not isinstance(part, dict):
        return None
    kind, text = part.get("type"), part.get("text")
    if isinstance(text, dict):
        text = text.get("value")
    if kind in _TEXTS:
        return ("text", text) if isinstance(text, str) and text else None
    if kind in _REASONINGS:
        thought = part.get("thinking", part.get("reasoning", text))
        reasoning = _text(thought) if isinstance(thought, list) else thought
        return ("reasoning", reasoning) if isinstance(reasoning, str) and reasoning else None
    if kind == "refusal":
        refusal = part.get("refusal")
        return ("refusal", refusal) if isinstance(refusal, str) and refusal else None
    return ("opaque", part)
