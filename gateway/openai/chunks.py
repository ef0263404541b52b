"""The shapes of /v1/chat/completions: a whole completion, and the chunks of a streamed one."""

from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.http.sse import SseFrame
from gateway.openai.errors import AnswerFailedError, Fault, fault_of, fault_of_failure
from gateway.openai.models import model_of
from gateway.openai.service import SubmittedQuestion
from gateway.openai.sources import Citation
from gateway.openai.text_assembler import TextAssembler
from gateway.openai.usage import Tokens, tokens
from wire.messages import Event, Failed

_DONE = SseFrame(b"[DONE]")


def completion(question: SubmittedQuestion, writing: TextAssembler) -> bytes:
    """A whole completion."""
    text = writing.whole
    message = {
        "role": "assistant",
        "content": text,
        "refusal": None,
        "annotations": _annotations(writing.citations(text)),
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": writing.finish}
    usage = _usage(tokens(writing.usage, question.work, text))
    return msgspec.json.encode(_head(question, "chat.completion") | {"choices": [choice], "usage": usage})


class CompletionChunks:
    """Tells an answer in chunks; see gateway.http.sse.Presenter. With `usage` the last one tells the tokens."""

    reconnects = False

    def __init__(self, question: SubmittedQuestion, writing: TextAssembler, *, usage: bool) -> None:
        self._question = question
        self._writing = writing
        self._usage = usage
        self._head = _head(question, "chat.completion.chunk")
        self.finished = False

    def preamble(self, first: Event | None) -> list[SseFrame]:
        """The chunk that says who speaks. AnswerFailedError for an answer that fails at once."""
        if isinstance(first, Failed):
            raise AnswerFailedError(first)
        return [self._chunk({"role": "assistant", "content": ""})]

    async def render(self, event: Event) -> list[SseFrame]:
        """The chunks that `event` makes."""
        if isinstance(event, Failed):
            self.finished = True
            return _broken(fault_of_failure(event))
        out = self._writing.add(event)
        made = [self._chunk({"content": out})] if out else []
        return [*made, *await self._end()] if self._writing.over else made

    def render_error(self, error: Exception) -> list[SseFrame]:
        """One error, which the SDKs raise, and no end."""
        return _broken(fault_of(error))

    async def _end(self) -> list[SseFrame]:
        self.finished = True
        writing = self._writing
        await self._question.end(writing, writing.sent)
        cited = _annotations(writing.citations(writing.sent))
        made = [self._chunk({"annotations": cited})] if cited else []
        made.append(self._chunk({}, writing.finish))
        if self._usage:
            found = tokens(writing.usage, self._question.work, writing.sent)
            made.append(SseFrame(msgspec.json.encode(self._head | {"choices": [], "usage": _usage(found)})))
        return [*made, _DONE]

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> SseFrame:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        rest: dict[str, Any] = {"choices": [choice]} | ({"usage": None} if self._usage else {})
        return SseFrame(msgspec.json.encode(self._head | rest))


def _head(question: SubmittedQuestion, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{question.answer}",
        "object": kind,
        "created": question.accepted,
        "model": model_of(question.work.style),
        "system_fingerprint": None,
    }


def _usage(found: Tokens) -> dict[str, Any]:
    counts = {"prompt_tokens": found.prompt, "completion_tokens": found.completion, "total_tokens": found.total}
    return counts | found.mark


def _annotations(cited: Sequence[Citation]) -> list[dict[str, Any]]:
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": one.start,
                "end_index": one.end,
                "title": one.source.title,
                "url": one.source.url,
            },
        }
        for one in cited
    ]


def _broken(fault: Fault) -> list[SseFrame]:
    return [SseFrame(msgspec.json.encode({"error": fault.error}))]
