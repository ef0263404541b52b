"""Read an answer of the OpenAI API from the chunks of its stream."""

import json
import re
from typing import Any

import msgspec

from wire.messages import FinishReason, Source, Usage
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.openai.errors import has_error, parse_error

DONE = "[DONE]"
# What some servers put around it.
_AROUND_DONE = "\"' \t\r\n\0"
# Limits of an answer: characters, and the number of sources and suggestions.
MAX_TEXT = 4 * 1024 * 1024
_MOST = 100

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

# The kinds of parts that are text.
_TEXTS = frozenset({None, "text", "output_text", "input_text"})
# An error that `transformers serve` reports: it puts torch's words into JSON as they are, with quotes and line ends.
_UNESCAPED_ERROR = re.compile(r'\s*\{\s*"error"\s*:\s*"(?P<message>.{1,2000})', re.DOTALL)


class CompletionStream:
    """One answer. `text` is its text so far; `done`: nothing more is to be read.

    One completion is asked for, so the first choice of each chunk is it, whatever its index. `secret` is the key, which
    no error contains.
    """

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self.text = ""
        self.done = False
        self._finish: str | None = None
        self._has_choice = False
        self._has_delta = False
        self._titles: dict[str, str] = {}
        self._suggestions: tuple[str, ...] = ()
        self._usage: Usage | None = None

    @property
    def ended(self) -> bool:
        """Whether the server has sent the end of the text, in either way; what follows undoes nothing."""
        return self.done or self._finish is not None

    def read(self, data: str) -> None:
        """Read one event's data, or one document. UpstreamError if it is no chunk, or reports a failure."""
        if self.done:
            return
        if data.strip(_AROUND_DONE).upper() == DONE:
            self.done = True
            return
        value = _decode(data)
        # Some servers send all chunks as one list.
        for chunk in value if isinstance(value, list) and value else [value]:
            self._read_chunk(chunk)

    def end_document(self) -> None:
        """Take a document that was read whole for the whole answer, as the response ends with it."""
        self.done = self.done or self._has_choice

    def completion(self, state: bytes) -> Completion:
        """Return the whole answer. UpstreamError if the server has sent neither its end nor a finish_reason."""
        if not self.ended:
            raise UpstreamError(Reason.TRANSPORT_CLOSED, f"neither a finish_reason nor {DONE}")
        sources = tuple(Source(title or url, url) for url, title in self._titles.items())
        finish = _FINISHES.get((self._finish or "").lower(), "stop")
        return Completion(self.text, state, sources, self._suggestions, usage=self._usage, finish=finish)

    def _read_chunk(self, chunk: Any) -> None:
        if not isinstance(chunk, dict):
            raise _protocol_error("a chunk that is no object")
        if has_error(chunk):
            raise self._to_error(chunk)
        if choice := _first_choice(chunk.get("choices")):
            self._has_choice = True
            self._read_choice(choice)
        if len(self.text) > MAX_TEXT:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an answer without an end")
        self._cite(chunk.get("citations"))
        self._cite(chunk.get("search_results"))
        related = chunk.get("related_questions")
        questions = related if isinstance(related, list) else []
        self._suggestions = tuple(filter(None, map(_string, questions[:_MOST]))) or self._suggestions
        self._usage = _usage(chunk.get("usage")) or self._usage

    def _read_choice(self, choice: dict[str, Any]) -> None:
        finish = _finish_reason(choice.get("finish_reason"))
        if finish is not None and finish.lower() not in _BROKEN:
            # First of all: nothing odd in a chunk that ends the answer undoes it.
            self._finish = finish
        delta, message = _message(choice.get("delta")), choice.get("message")
        self._read_annotations(delta.get("annotations"))
        text = _content(delta) if delta else _text(choice.get("text"))
        self._has_delta = self._has_delta or bool(text)
        if isinstance(message, dict | str):
            message = _message(message)
            self._read_annotations(message.get("annotations"))
            text = text or self._message_text(message.get("content"))
        self.text += text
        if finish is not None and finish.lower() in _BROKEN:
            if has_error({"error": choice.get("error")}):
                raise self._to_error(choice)
            raise UpstreamError(Reason.UPSTREAM_INTERNAL, f"finish_reason {finish.lower()}")

    def _message_text(self, content: Any) -> str:
        """Return what a message adds to the text. Beside deltas, or as the end, it may repeat the whole."""
        if self.text and self._has_delta:
            return _text_beyond(content, self.text) if isinstance(content, str) else ""
        text = _text(content)
        repeats = self.text and self._finish is not None and text.startswith(self.text)
        return _text_beyond(text, self.text) if repeats else text

    def _read_annotations(self, annotations: Any) -> None:
        if isinstance(annotations, list):
            citations = [note for note in annotations if isinstance(note, dict) and note.get("type") == "url_citation"]
            self._cite([citation.get("url_citation", citation) for citation in citations])

    def _cite(self, sources: Any) -> None:
        """Add sources: URLs, or objects with a URL and perhaps a title. Each URL counts once, where it came first."""
        for source in sources[:_MOST] if isinstance(sources, list) else ():
            entry = source if isinstance(source, dict) else {"url": source}
            url, title = _string(entry.get("url")), _string(entry.get("title"))
            if url.startswith(("https://", "http://")) and (url in self._titles or len(self._titles) < _MOST):
                self._titles[url] = self._titles.get(url) or title

    def _to_error(self, chunk: dict[str, Any]) -> UpstreamError:
        """Return the error that a chunk reports; once there is text it isn't a refusal, whatever its code is."""
        error = parse_error(chunk).to_upstream_error(secret=self._secret)
        return UpstreamError(Reason.UPSTREAM_INTERNAL, error.detail) if self.text else error


def _decode(data: str) -> Any:
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


def _content(delta: dict[str, Any]) -> str:
    """Return the text of a delta: its content, else its text."""
    text = delta.get("text")
    return _text(delta.get("content")) or (text if isinstance(text, str) else "")


def _finish_reason(value: Any) -> str | None:
    """Return the server's word for why the answer ended; None if it hasn't."""
    if isinstance(value, str):
        return None if value.strip().lower() in _NO_FINISH else value.strip()
    return "stop" if value else None


def _text_beyond(whole: str, text: str) -> str:
    """Return what a whole text has beyond the text so far; nothing if it is another text."""
    return whole[len(text) :] if whole.startswith(text) else ""


def _string(value: Any) -> str:
    """Return a text without halves of surrogate pairs; empty for a value of another type."""
    return value.encode(errors="ignore").decode() if isinstance(value, str) else ""


def _text(content: Any) -> str:
    """Return the text of a content: a text, or parts of which some are text. UpstreamError for another type."""
    if isinstance(content, str):
        return content
    if content is None or isinstance(content, bool):
        return ""
    parts = [content] if isinstance(content, dict) else content
    if not isinstance(parts, list):
        raise _protocol_error("a text of another shape")
    return "".join(map(_part_text, parts))


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    kind, text = part.get("type"), part.get("text")
    if isinstance(text, dict):
        text = text.get("value")
    return text if isinstance(text, str) and kind in _TEXTS else ""


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    counts = [value.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (count if isinstance(count, int) and 0 <= count < 2**53 else None for count in counts)
    return None if prompt is None or completion is None else Usage(prompt, completion)
