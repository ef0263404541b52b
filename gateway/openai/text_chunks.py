"""The bodies of /v1/completions: a whole text completion, and the chunks of a streamed one."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.http.responses import Count
from gateway.http.sse import EventId, SseFrame, encode_comment
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.chunks import (
    DONE,
    AnsweredModel,
    CompletionUsage,
    completion_head,
    completion_usage,
    error_frames,
)
from gateway.openai.errors import AnswerFailedError, fault_in_stream, fault_of_failure
from gateway.openai.service import SubmittedQuestion
from wire.blocks import Block, Piece
from wire.messages import Event, Failed

# How ids begin.
_KIND = "cmpl"
# What is text for a client that knows nothing else.
_SHOWN = ("text", "refusal")
TextFinish = Literal["stop", "length", "content_filter"]


class TextChoice(msgspec.Struct, kw_only=True):
    """The only choice of a text completion."""

    text: str
    index: Literal[0] = 0
    logprobs: None = None
    finish_reason: TextFinish | None = None


class TextCompletionObject(msgspec.Struct, kw_only=True):
    """A text completion, or a part of a streamed one, which has no `usage` but with `include_usage`."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: Count
    model: AnsweredModel
    system_fingerprint: str | None = None
    choices: list[TextChoice]
    usage: CompletionUsage | UnsetType | None = UNSET


def encode_text_completion(question: SubmittedQuestion, answer: AnswerAssembler) -> bytes:
    """Return a whole text completion. AnswerFailedError if all that there was is a call that isn't whole."""
    if answer.is_lost:
        raise AnswerFailedError(answer.broken_end)
    choice = TextChoice(text=_text(answer.blocks), finish_reason=_finish_word(answer))
    usage = completion_usage(answer, question.about, answer.blocks)
    return msgspec.json.encode(
        TextCompletionObject(**completion_head(question, answer, _KIND), choices=[choice], usage=usage)
    )


class TextCompletionChunks:
    """Renders the text of an answer as chunks; see gateway.http.sse.Presenter."""

    reconnects = False

    def __init__(self, question: SubmittedQuestion, answer: AnswerAssembler) -> None:
        self._question = question
        self._about = question.about
        self._answer = answer
        self.finished = False

    def preamble(self, first: Event | None) -> list[SseFrame]:
        """Return a chunk without text, with the model as asked. AnswerFailedError for an answer that fails."""
        if isinstance(first, Failed):
            raise AnswerFailedError(first)
        return [self._chunk("")]

    def sign(self, last: EventId | None) -> bytes:
        """Return a comment."""
        return encode_comment(last)

    async def render(self, event: Event) -> list[SseFrame]:
        """Return the chunks of `event`."""
        if isinstance(event, Failed):
            self.finished = True
            return error_frames(fault_of_failure(event))
        text = _text(self._answer.add(event))
        chunks = [self._chunk(text)] if text else []
        return [*chunks, *await self._end()] if self._answer.finished else chunks

    def render_error(self, error: Exception) -> list[SseFrame]:
        """Return one error, which the SDKs raise, and no end."""
        return error_frames(fault_in_stream(error))

    async def _end(self) -> list[SseFrame]:
        self.finished = True
        answer = self._answer
        if answer.broken:
            return error_frames(fault_of_failure(answer.broken_end))
        await self._question.finish(answer, answer.sent)
        chunks = [self._chunk("", _finish_word(answer))]
        if self._about.include_usage:
            usage = completion_usage(answer, self._about, answer.sent)
            chunks.append(self._encode(choices=[], usage=usage))
        return [*chunks, DONE]

    def _chunk(self, text: str, finish: TextFinish | None = None) -> SseFrame:
        usage = None if self._about.include_usage else UNSET
        return self._encode(choices=[TextChoice(text=text, finish_reason=finish)], usage=usage)

    def _encode(self, **rest: Any) -> SseFrame:
        return SseFrame(
            msgspec.json.encode(TextCompletionObject(**completion_head(self._question, self._answer, _KIND), **rest))
        )


def _text(blocks: Iterable[Block | Piece]) -> str:
    return "".join(block.text for block in blocks if block.kind in _SHOWN)


def _finish_word(answer: AnswerAssembler) -> TextFinish:
    match answer.finish:
        case "refusal":
            return "content_filter"
        case "tool_calls":
            return "stop"
        case reason:
            return reason
