"""An answer of the OpenAI API, read from the chunks that it is streamed in."""

import json
from typing import Any

import msgspec

from wire.messages import FinishReason, Source, Usage
from worker.errors import UpstreamError
from worker.providers import Completion
from worker.providers.openai.errors import parse_error

DONE = "[DONE]"
# Characters of an answer, and how many sources and suggestions, beyond which it can't be meant.
MAX_TEXT = 4 * 1024 * 1024
_MOST = 100

_FINISHES: dict[str, FinishReason] = {"length": "length", "content_filter": "content_filter"}


class _ChunkDelta(msgspec.Struct):
    """What a chunk adds: text, or parts of which some are text. Thoughts and calls of tools are no answer."""

    content: str | list[Any] | None = None
    annotations: Any = None
    # What it thinks before it answers, by the names that servers have for it.
    reasoning_content: Any = None
    reasoning: Any = None


class _ChunkChoice(msgspec.Struct):
    index: int = 0
    delta: _ChunkDelta | None = None
    message: _ChunkDelta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    """The fields that are not the API's own, and differ from server to server, are looked at with care."""

    choices: list[_ChunkChoice] | None = None
    usage: Any = None
    citations: Any = None
    search_results: Any = None
    related_questions: Any = None
    error: Any = None
    # Of an error that is not wrapped in one.
    object: Any = None
    type: Any = None
    code: Any = None
    message: Any = None


_chunk = msgspec.json.Decoder(_Chunk)


class CompletionStream:
    """One answer. `text` is what has come of it; `done`: the server has said that there is no more.

    `thoughts` counts the signs that it is at work on it.
    """

    def __init__(self) -> None:
        self.text = ""
        self.done = False
        self.thoughts = 0
        self._finish: str | None = None
        self._titles: dict[str, str] = {}
        self._suggestions: tuple[str, ...] = ()
        self._usage: Usage | None = None

    def read(self, data: str) -> None:
        """Take in the data of one event. UpstreamError when it is no chunk, or breaks the answer off."""
        if self.done:
            return
        if data.strip() == DONE:
            self.done = True
            return
        chunk = _decode(data)
        if chunk.error or chunk.object == "error":
            raise self._broken(chunk)
        for choice in chunk.choices or ():
            if choice.index == 0:
                self._hear(choice)
        if len(self.text) > MAX_TEXT:
            raise UpstreamError("transport.toobig", "an answer without an end")
        self._cite(chunk.citations)
        self._cite(chunk.search_results)
        asked = chunk.related_questions if isinstance(chunk.related_questions, list) else []
        self._suggestions = tuple(filter(None, map(_string, asked[:_MOST]))) or self._suggestions
        self._usage = _usage(chunk.usage) or self._usage

    def completion(self, state: bytes) -> Completion:
        """The whole answer. UpstreamError if the server has not said that, and why, it ends here."""
        if not self.done:
            raise UpstreamError("transport.closed", f"no {DONE}")
        if self._finish is None:
            raise UpstreamError("transport.closed", "no finish_reason")
        sources = tuple(Source(title or url, url) for url, title in self._titles.items())
        finish = _FINISHES.get(self._finish, "stop")
        return Completion(self.text, state, sources, self._suggestions, usage=self._usage, finish=finish)

    def _hear(self, choice: _ChunkChoice) -> None:
        if choice.delta is not None:
            self.text += _text(choice.delta.content)
            self.thoughts += bool(choice.delta.reasoning_content or choice.delta.reasoning)
            self._annotated(choice.delta.annotations)
        if choice.message is not None:
            self._annotated(choice.message.annotations)
        self._finish = choice.finish_reason or self._finish

    def _annotated(self, annotations: Any) -> None:
        if isinstance(annotations, list):
            notes = [one for one in annotations if isinstance(one, dict) and one.get("type") == "url_citation"]
            self._cite([one.get("url_citation", one) for one in notes])

    def _cite(self, sources: Any) -> None:
        """Addresses, or objects that have one and perhaps a title; each address once, in the order of the first."""
        for source in sources[:_MOST] if isinstance(sources, list) else ():
            told = source if isinstance(source, dict) else {"url": source}
            url, title = _string(told.get("url")), _string(told.get("title"))
            if url.startswith(("https://", "http://")) and (url in self._titles or len(self._titles) < _MOST):
                self._titles[url] = self._titles.get(url) or title

    def _broken(self, chunk: _Chunk) -> UpstreamError:
        """An error within the stream; once there is text it is no refusal, whatever it says."""
        told = chunk.error or {"type": chunk.type, "code": chunk.code, "message": chunk.message}
        error = parse_error(told).to_upstream_error()
        return UpstreamError("upstream.internal", error.detail) if self.text else error


def _decode(data: str) -> _Chunk:
    try:
        return _chunk.decode(data)
    except msgspec.ValidationError as error:
        raise UpstreamError("upstream.protocol", "a chunk of another shape") from error
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        # It lets halves of surrogate pairs pass, which some servers cut characters into; the next chunk has the other.
        return msgspec.convert(json.loads(data), _Chunk)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise UpstreamError("upstream.protocol", "a chunk that is not JSON") from error


def _string(value: Any) -> str:
    """What is no text becomes none; halves of surrogate pairs can't be passed on."""
    return value.encode(errors="ignore").decode() if isinstance(value, str) else ""


def _text(content: str | list[Any] | None) -> str:
    if not isinstance(content, list):
        return content or ""
    parts = (one for one in content if isinstance(one, dict) and one.get("type") == "text")
    return "".join(one["text"] for one in parts if isinstance(one.get("text"), str))


def _usage(told: Any) -> Usage | None:
    if not isinstance(told, dict):
        return None
    counts = [told.get(name) for name in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (one if isinstance(one, int) and 0 <= one < 2**53 else None for one in counts)
    return None if prompt is None or completion is None else Usage(prompt, completion)
