"""Read an answer of the OpenAI API from the chunks of its stream."""

import json
from typing import Any

import msgspec

from wire.messages import FinishReason, Source, Usage
from wire.reasons import Reason
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.openai.errors import parse_error

DONE = "[DONE]"
# Limits of an answer: characters, and the number of sources and suggestions.
MAX_TEXT = 4 * 1024 * 1024
_MOST = 100

_FINISHES: dict[str, FinishReason] = {"length": "length", "content_filter": "content_filter"}


class _ChunkDelta(msgspec.Struct):
    """The content that a chunk adds: text, or parts of which some are text. Reasoning and tool calls are ignored."""

    content: str | list[Any] | None = None
    annotations: Any = None
    # The model's reasoning, under the names that servers use for it.
    reasoning_content: Any = None
    reasoning: Any = None


class _ChunkChoice(msgspec.Struct):
    index: int = 0
    delta: _ChunkDelta | None = None
    message: _ChunkDelta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    """One chunk. Fields that aren't part of the API, and differ between servers, may have any type."""

    choices: list[_ChunkChoice] | None = None
    usage: Any = None
    citations: Any = None
    search_results: Any = None
    related_questions: Any = None
    error: Any = None
    # The fields of an error that isn't inside `error`.
    object: Any = None
    type: Any = None
    code: Any = None
    message: Any = None


_chunk = msgspec.json.Decoder(_Chunk)


class CompletionStream:
    """One answer. `text` is its text so far; `done`: the server has sent the end.

    `reasoning` counts the chunks of reasoning: they show that the server is working.
    """

    def __init__(self) -> None:
        self.text = ""
        self.done = False
        self.reasoning = 0
        self._finish: str | None = None
        self._titles: dict[str, str] = {}
        self._suggestions: tuple[str, ...] = ()
        self._usage: Usage | None = None

    def read(self, data: str) -> None:
        """Read the data of one event. UpstreamError if it is no chunk, or reports a failure."""
        if self.done:
            return
        if data.strip() == DONE:
            self.done = True
            return
        chunk = _decode(data)
        if chunk.error or chunk.object == "error":
            raise self._to_error(chunk)
        for choice in chunk.choices or ():
            if choice.index == 0:
                self._read_choice(choice)
        if len(self.text) > MAX_TEXT:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an answer without an end")
        self._cite(chunk.citations)
        self._cite(chunk.search_results)
        questions = chunk.related_questions if isinstance(chunk.related_questions, list) else []
        self._suggestions = tuple(filter(None, map(_string, questions[:_MOST]))) or self._suggestions
        self._usage = _usage(chunk.usage) or self._usage

    def completion(self, state: bytes) -> Completion:
        """Return the whole answer. UpstreamError if the server hasn't sent its end and a finish_reason."""
        if not self.done:
            raise UpstreamError(Reason.TRANSPORT_CLOSED, f"no {DONE}")
        if self._finish is None:
            raise UpstreamError(Reason.TRANSPORT_CLOSED, "no finish_reason")
        sources = tuple(Source(title or url, url) for url, title in self._titles.items())
        finish = _FINISHES.get(self._finish, "stop")
        return Completion(self.text, state, sources, self._suggestions, usage=self._usage, finish=finish)

    def _read_choice(self, choice: _ChunkChoice) -> None:
        if choice.delta is not None:
            self.text += _text(choice.delta.content)
            self.reasoning += bool(choice.delta.reasoning_content or choice.delta.reasoning)
            self._read_annotations(choice.delta.annotations)
        if choice.message is not None:
            self._read_annotations(choice.message.annotations)
        self._finish = choice.finish_reason or self._finish

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

    def _to_error(self, chunk: _Chunk) -> UpstreamError:
        """Return the error that a chunk reports; once there is text it isn't a refusal, whatever its code is."""
        value = chunk.error or {"type": chunk.type, "code": chunk.code, "message": chunk.message}
        error = parse_error(value).to_upstream_error()
        return UpstreamError(Reason.UPSTREAM_INTERNAL, error.detail) if self.text else error


def _decode(data: str) -> _Chunk:
    try:
        return _chunk.decode(data)
    except msgspec.ValidationError as error:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "a chunk of another shape") from error
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        # json accepts halves of surrogate pairs: some servers split characters over two chunks.
        return msgspec.convert(json.loads(data), _Chunk)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise UpstreamError(Reason.UPSTREAM_PROTOCOL, "a chunk that is not JSON") from error


def _string(value: Any) -> str:
    """Return a text without halves of surrogate pairs; empty for a value of another type."""
    return value.encode(errors="ignore").decode() if isinstance(value, str) else ""


def _text(content: str | list[Any] | None) -> str:
    if not isinstance(content, list):
        return content or ""
    parts = (part for part in content if isinstance(part, dict) and part.get("type") == "text")
    return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    counts = [value.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (count if isinstance(count, int) and 0 <= count < 2**53 else None for count in counts)
    return None if prompt is None or completion is None else Usage(prompt, completion)
