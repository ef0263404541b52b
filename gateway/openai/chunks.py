"""The bodies of /v1/chat/completions: a whole completion, and the chunks of a streamed one."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.http.responses import Count
from gateway.http.sse import EventId, SseFrame, encode_comment
from gateway.openai.errors import AnswerFailedError, Fault, fault_in_stream, fault_of_failure
from gateway.openai.models import ModelName, model_name
from gateway.openai.service import SubmittedQuestion
from gateway.openai.sources import Citation
from gateway.openai.text_assembler import TextAssembler
from gateway.openai.usage import Estimated, TokenCounts, count_tokens
from wire.messages import Event, Failed, FinishReason

_DONE = SseFrame(b"[DONE]")


class CompletionUsage(msgspec.Struct, kw_only=True):
    """Tokens, as the upstream counted them, or `estimated`."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    estimated: Estimated | UnsetType = UNSET


class UrlCitation(msgspec.Struct, kw_only=True):
    """A source and its place in the text."""

    start_index: Count
    end_index: Count
    title: str
    url: str


class MessageAnnotation(msgspec.Struct, kw_only=True):
    """A citation of a message."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation


class ChoiceMessage(msgspec.Struct, kw_only=True):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[MessageAnnotation]


class CompletionChoice(msgspec.Struct, kw_only=True):
    """The only choice of a completion."""

    index: Literal[0] = 0
    message: ChoiceMessage
    logprobs: None = None
    finish_reason: FinishReason


class CompletionObject(msgspec.Struct, kw_only=True):
    """A whole completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: Count
    model: ModelName
    system_fingerprint: None = None
    choices: list[CompletionChoice]
    usage: CompletionUsage


class ChunkDelta(msgspec.Struct, kw_only=True):
    """The new part of a message."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    annotations: list[MessageAnnotation] | UnsetType = UNSET


class ChunkChoice(msgspec.Struct, kw_only=True):
    """The only choice of a chunk."""

    index: Literal[0] = 0
    delta: ChunkDelta
    logprobs: None = None
    finish_reason: FinishReason | None = None


class Chunk(msgspec.Struct, kw_only=True):
    """A part of a streamed completion."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: Count
    model: ModelName
    system_fingerprint: None = None
    choices: list[ChunkChoice]
    usage: Annotated[
        CompletionUsage | UnsetType | None,
        msgspec.Meta(description="With `include_usage`: null except in the last chunk, which has no choice."),
    ] = UNSET


def encode_completion(question: SubmittedQuestion, answer: TextAssembler) -> bytes:
    """Return a whole completion."""
    text = answer.text
    message = ChoiceMessage(content=text, annotations=_annotations(answer.locate_citations(text)))
    completion = CompletionObject(
        **_head(question),
        choices=[CompletionChoice(message=message, finish_reason=answer.finish)],
        usage=_usage(count_tokens(answer.usage, question.about, text)),
    )
    return msgspec.json.encode(completion)


class CompletionChunks:
    """Renders an answer as chunks; see gateway.http.sse.Presenter. With `usage` the last one contains the tokens."""

    reconnects = False

    def __init__(self, question: SubmittedQuestion, answer: TextAssembler, *, usage: bool) -> None:
        self._question = question
        self._answer = answer
        self._usage = usage
        self._head = _head(question)
        self.finished = False

    def preamble(self, first: Event | None) -> list[SseFrame]:
        """Return the chunk with the role. AnswerFailedError for an answer that fails at once."""
        if isinstance(first, Failed):
            raise AnswerFailedError(first)
        return [self._chunk(ChunkDelta(role="assistant", content=""))]

    def sign(self, last: EventId | None) -> bytes:
        """Return a comment."""
        return encode_comment(last)

    async def render(self, event: Event) -> list[SseFrame]:
        """Return the chunks of `event`."""
        if isinstance(event, Failed):
            self.finished = True
            return _error_frames(fault_of_failure(event))
        new = self._answer.add(event)
        chunks = [self._chunk(ChunkDelta(content=new))] if new else []
        return [*chunks, *await self._end()] if self._answer.finished else chunks

    def render_error(self, error: Exception) -> list[SseFrame]:
        """Return one error, which the SDKs raise, and no end."""
        return _error_frames(fault_in_stream(error))

    async def _end(self) -> list[SseFrame]:
        self.finished = True
        answer = self._answer
        await self._question.finish(answer, answer.sent)
        annotations = _annotations(answer.locate_citations(answer.sent))
        chunks = [self._chunk(ChunkDelta(annotations=annotations))] if annotations else []
        chunks.append(self._chunk(ChunkDelta(), answer.finish))
        if self._usage:
            usage = _usage(count_tokens(answer.usage, self._question.about, answer.sent))
            chunks.append(SseFrame(msgspec.json.encode(Chunk(**self._head, choices=[], usage=usage))))
        return [*chunks, _DONE]

    def _chunk(self, delta: ChunkDelta, finish: FinishReason | None = None) -> SseFrame:
        choice = ChunkChoice(delta=delta, finish_reason=finish)
        chunk = Chunk(**self._head, choices=[choice], usage=None if self._usage else UNSET)
        return SseFrame(msgspec.json.encode(chunk))


def _head(question: SubmittedQuestion) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{question.answer}",
        "created": question.accepted,
        "model": model_name(question.about.style),
    }


def _usage(tokens: TokenCounts) -> CompletionUsage:
    return CompletionUsage(
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        total_tokens=tokens.total,
        estimated=tokens.mark,
    )


def _annotations(citations: Sequence[Citation]) -> list[MessageAnnotation]:
    return [
        MessageAnnotation(
            url_citation=UrlCitation(
                start_index=citation.start,
                end_index=citation.end,
                title=citation.source.title,
                url=citation.source.url,
            )
        )
        for citation in citations
    ]


def _error_frames(fault: Fault) -> list[SseFrame]:
    return [SseFrame(msgspec.json.encode(fault.streamed))]
