"""The bodies of /v1/chat/completions: a whole completion, and the chunks of a streamed one."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.http.responses import Count
from gateway.http.sse import EventId, SseFrame, encode_comment
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.content_fields import content_fields, is_signed
from gateway.openai.errors import AnswerFailedError, Fault, fault_in_stream, fault_of_failure
from gateway.openai.models import model_name
from gateway.openai.server_fields import add_fields
from gateway.openai.service import SubmittedQuestion
from gateway.openai.sources import Citation
from gateway.openai.usage import Estimated, count_tokens
from wire.about import About
from wire.blocks import Block, BlockKind, Piece, fold_all, join_text
from wire.messages import Event, Failed

DONE = SseFrame(b"[DONE]")
# The field of a text block whose place is beside the message.
_LOGPROBS = "logprobs"

AnsweredModel = Annotated[
    str, msgspec.Meta(description="The model that answers; before it began, the one that was asked for.")
]


class PromptDetails(msgspec.Struct, kw_only=True):
    """Details of a prompt's tokens."""

    cached_tokens: Count = 0


class CompletionDetails(msgspec.Struct, kw_only=True):
    """Details of an answer's tokens."""

    reasoning_tokens: Count = 0


class CompletionUsage(msgspec.Struct, kw_only=True):
    """Tokens, as the upstream counted them, or `estimated`. The details are those of a server."""

    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    prompt_tokens_details: PromptDetails | UnsetType = UNSET
    completion_tokens_details: CompletionDetails | UnsetType = UNSET
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


class CallArguments(msgspec.Struct, kw_only=True):
    """A call of a function. In a stream the name comes first, and the arguments in parts behind it."""

    name: str | UnsetType = UNSET
    arguments: Annotated[str, msgspec.Meta(description="JSON, as the model wrote it.")]


class CallInput(msgspec.Struct, kw_only=True):
    """A call of a custom tool, in parts as that of a function."""

    name: str | UnsetType = UNSET
    input: str


class AnswerCall(msgspec.Struct, kw_only=True):
    """A call that the client is to carry out. In a stream it has an index, and all else but that only at first."""

    index: Count | UnsetType = UNSET
    id: str | UnsetType = UNSET
    type: Literal["function", "custom"] | UnsetType = UNSET
    function: CallArguments | UnsetType = UNSET
    custom: CallInput | UnsetType = UNSET


_Reasoning = Annotated[
    str | UnsetType, msgspec.Meta(description="What the model thought, under both names that clients know.")
]
_OldCall = Annotated[CallArguments | UnsetType, msgspec.Meta(description="The call, if the request had `functions`.")]
Logprobs = Annotated[dict[str, Any] | None, msgspec.Meta(description="As the server sent them, if asked for.")]
FinishWord = Literal["stop", "length", "content_filter", "tool_calls", "function_call"]


class ChoiceMessage(msgspec.Struct, kw_only=True):
    """The answer. Fields that the server sent beside these are in it too."""

    role: Literal["assistant"] = "assistant"
    content: Annotated[str | None, msgspec.Meta(description="null if the answer has only calls, or a refusal.")]
    refusal: str | None = None
    annotations: list[MessageAnnotation]
    reasoning_content: _Reasoning = UNSET
    reasoning: _Reasoning = UNSET
    tool_calls: list[AnswerCall] | UnsetType = UNSET
    function_call: _OldCall = UNSET


class CompletionChoice(msgspec.Struct, kw_only=True):
    """The only choice of a completion."""

    index: Literal[0] = 0
    message: ChoiceMessage
    logprobs: Logprobs = None
    finish_reason: FinishWord


class CompletionObject(msgspec.Struct, kw_only=True):
    """A whole completion. Fields that the server sent beside these are in it too."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: Count
    model: AnsweredModel
    system_fingerprint: str | None = None
    choices: list[CompletionChoice]
    usage: CompletionUsage


class ChunkDelta(msgspec.Struct, kw_only=True):
    """The new part of a message. Fields that the server sent beside these are in it too."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    annotations: list[MessageAnnotation] | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    reasoning_content: _Reasoning = UNSET
    reasoning: _Reasoning = UNSET
    tool_calls: list[AnswerCall] | UnsetType = UNSET
    function_call: _OldCall = UNSET


class ChunkChoice(msgspec.Struct, kw_only=True):
    """The only choice of a chunk."""

    index: Literal[0] = 0
    delta: ChunkDelta
    logprobs: Logprobs = None
    finish_reason: FinishWord | None = None


class Chunk(msgspec.Struct, kw_only=True):
    """A part of a streamed completion. The last choice has the fields that the server sent beside these."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: Count
    model: AnsweredModel
    system_fingerprint: str | None = None
    choices: list[ChunkChoice]
    usage: Annotated[
        CompletionUsage | UnsetType | None,
        msgspec.Meta(description="With `include_usage`: null except in the last chunk, which has no choice."),
    ] = UNSET


def encode_completion(question: SubmittedQuestion, answer: AnswerAssembler) -> bytes:
    """Return a whole completion. AnswerFailedError if all that there was is a call that isn't whole."""
    if answer.is_lost:
        raise AnswerFailedError(answer.broken_end)
    about = question.about
    choice = CompletionChoice(
        message=add_fields(_message(answer, about), message_fields(answer.blocks)),
        logprobs=_logprobs(answer.blocks),
        finish_reason=_finish_word(answer, about),
    )
    completion = CompletionObject(
        **completion_head(question, answer), choices=[choice], usage=completion_usage(answer, about, answer.blocks)
    )
    return msgspec.json.encode(add_fields(completion, answer.extra))


class CompletionChunks:
    """Renders an answer as chunks; see gateway.http.sse.Presenter."""

    reconnects = False

    def __init__(self, question: SubmittedQuestion, answer: AnswerAssembler) -> None:
        self._question = question
        self._about = question.about
        self._answer = answer
        self._calls = 0
        # The last block that was signed, and the length of its text then.
        self._signed = (-1, 0)
        self.finished = False
        self._begin_chunks()

    def preamble(self, first: Event | None) -> list[SseFrame]:
        """Return the chunk with the role, which names the model as asked. AnswerFailedError for one that fails."""
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
            return error_frames(fault_of_failure(event))
        pieces = self._answer.add(event)
        if event.model:
            self._begin_chunks()
        chunks = [chunk for piece in pieces for chunk in self._render_piece(piece)]
        return [*chunks, *await self._end()] if self._answer.finished else chunks

    def render_error(self, error: Exception) -> list[SseFrame]:
        """Return one error, which the SDKs raise, and no end."""
        return error_frames(fault_in_stream(error))

    def _begin_chunks(self) -> None:
        """Set what all chunks have; around a text that is encoded once."""
        self._head = completion_head(self._question, self._answer)
        before, content, self._after_text = self._chunk(ChunkDelta(content="")).data.partition(b'"content":""')
        self._before_text = before + content.removesuffix(b'""')

    def _render_piece(self, piece: Piece) -> list[SseFrame]:
        if piece.kind == "tool_call":
            return [self._chunk(delta) for delta in self._render_call(piece)]
        if not piece.text and not piece.extra:
            return []
        if piece.kind == "text" and not piece.extra:
            return [SseFrame(b"".join((self._before_text, msgspec.json.encode(piece.text), self._after_text)))]
        delta, text = ChunkDelta(), piece.text or UNSET
        match piece.kind:
            case "text":
                delta.content = text
            case "reasoning":
                delta.reasoning_content = delta.reasoning = text
            case "refusal":
                delta.refusal = text
        if not piece.extra:
            return [self._chunk(delta)]
        if is_signed(piece):
            piece = self._with_unsigned(piece)
        return [self._chunk(add_fields(delta, message_fields([piece])), logprobs=_logprobs([piece]))]

    def _with_unsigned(self, piece: Piece) -> Piece:
        """Return a piece that is signed with all of its block's text; of one that was signed before, with what is new.

        To repeat the text for each signature of a block would take the square of its length.
        """
        text, (block, length) = self._answer.sent[piece.block].text, self._signed
        self._signed = piece.block, len(text)
        return msgspec.structs.replace(piece, text=text[length:] if block == piece.block else text)

    def _render_call(self, piece: Piece) -> list[ChunkDelta]:
        """Return the name of a call that begins, and then its arguments."""
        begins = bool(piece.name)
        self._calls += begins
        if self._about.functions:
            # The old form has room for one call.
            old = self._calls == 1
            return [ChunkDelta(function_call=part) for part in _old_parts(piece) if old]
        index, custom = self._calls - 1, self._answer.is_custom(piece.block)
        calls = [AnswerCall(index=index, **part) for part in _call_parts(piece, custom=custom)]
        if calls and begins:
            calls[0].id, calls[0].type = piece.id, "custom" if custom else "function"
        if piece.extra:
            calls = [add_fields(calls[0] if calls else AnswerCall(index=index), piece.extra), *calls[1:]]
        return [ChunkDelta(tool_calls=[call]) for call in calls]

    async def _end(self) -> list[SseFrame]:
        self.finished = True
        answer, about = self._answer, self._about
        if answer.broken:
            return error_frames(fault_of_failure(answer.broken_end))
        await self._question.finish(answer, answer.sent)
        text = join_text(answer.sent)
        annotations = _annotations(answer.locate_citations(text))
        chunks = [self._chunk(ChunkDelta(annotations=annotations))] if annotations else []
        chunks.append(self._chunk(ChunkDelta(), _finish_word(answer, about), extra=answer.extra))
        if about.include_usage:
            usage = completion_usage(answer, about, answer.sent)
            chunks.append(SseFrame(msgspec.json.encode(Chunk(**self._head, choices=[], usage=usage))))
        return [*chunks, DONE]

    def _chunk(
        self,
        delta: ChunkDelta,
        finish: FinishWord | None = None,
        *,
        logprobs: dict[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> SseFrame:
        choice = ChunkChoice(delta=delta, logprobs=logprobs, finish_reason=finish)
        chunk = Chunk(**self._head, choices=[choice], usage=None if self._about.include_usage else UNSET)
        return SseFrame(msgspec.json.encode(add_fields(chunk, extra) if extra else chunk))


def completion_head(question: SubmittedQuestion, answer: AnswerAssembler, kind: str = "chatcmpl") -> dict[str, Any]:
    """Return the fields at the beginning of a completion or a chunk, whose id begins with `kind`."""
    about = question.about
    return {
        "id": f"{kind}-{question.answer}",
        "created": question.accepted,
        # A question in text is one for a model of Bing's, whoever answers it.
        "model": (answer.model or about.model) if about.dialect else model_name(about.style),
    }


def _message(answer: AnswerAssembler, about: About) -> ChoiceMessage:
    text, blocks = answer.text, answer.blocks
    calls = [block for block in blocks if block.kind == "tool_call"]
    reasoning, refusal = (_join(blocks, kind) for kind in ("reasoning", "refusal"))
    message = ChoiceMessage(
        content=text or (None if calls or refusal else ""),
        refusal=refusal or None,
        annotations=_annotations(answer.locate_citations(text)),
        reasoning_content=reasoning or UNSET,
        reasoning=reasoning or UNSET,
    )
    if calls and about.functions:
        message.function_call = CallArguments(name=calls[0].name, arguments=calls[0].text)
    elif calls:
        message.tool_calls = [_call(block) for block in calls]
    return message


def _call(block: Block) -> AnswerCall:
    if block.custom:
        call = AnswerCall(id=block.id, type="custom", custom=CallInput(name=block.name, input=block.text))
    else:
        call = AnswerCall(id=block.id, type="function", function=CallArguments(name=block.name, arguments=block.text))
    return add_fields(call, block.extra)


def _call_parts(piece: Piece, *, custom: bool) -> list[dict[str, Any]]:
    """Return the fields of the calls by which a piece is sent: its name alone at first."""
    if custom:
        named = [{"custom": CallInput(name=piece.name, input="")}] if piece.name else []
        return [*named, *([{"custom": CallInput(input=piece.text)}] if piece.text else [])]
    return [{"function": part} for part in _old_parts(piece)]


def _old_parts(piece: Piece) -> list[CallArguments]:
    named = [CallArguments(name=piece.name, arguments="")] if piece.name else []
    return [*named, *([CallArguments(arguments=piece.text)] if piece.text else [])]


def _join(blocks: Sequence[Block], kind: BlockKind) -> str:
    return "".join(block.text for block in blocks if block.kind == kind)


def message_fields(blocks: Sequence[Block | Piece]) -> dict[str, Any]:
    """Return the fields of a message that a server sent with its blocks, as a stream's reader joins them.

    A piece that is signed has all of its block's text here.
    """
    given = (content_fields(block, block.text) for block in blocks if block.kind != "tool_call")
    return fold_all({name: value for name, value in fields.items() if name != _LOGPROBS} for fields in given)


def _logprobs(blocks: Sequence[Block | Piece]) -> dict[str, Any] | None:
    given = (block.extra.get(_LOGPROBS) for block in blocks)
    return fold_all(fields for fields in given if isinstance(fields, dict)) or None


def _finish_word(answer: AnswerAssembler, about: About) -> FinishWord:
    match answer.finish:
        case "tool_calls" if about.functions:
            return "function_call"
        case "refusal":
            return "stop"
        case reason:
            return reason


def completion_usage(answer: AnswerAssembler, about: About, blocks: Sequence[Block]) -> CompletionUsage:
    """Return the tokens of an answer that was sent as these blocks."""
    text = "".join(block.name + block.text for block in blocks)
    tokens, counted = count_tokens(answer.usage, about, text), answer.usage
    usage = CompletionUsage(
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        total_tokens=tokens.total,
        estimated=tokens.mark,
    )
    if counted is not None and about.dialect:
        usage.prompt_tokens_details = PromptDetails(cached_tokens=counted.cached)
        usage.completion_tokens_details = CompletionDetails(reasoning_tokens=counted.reasoning)
    return usage


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


def error_frames(fault: Fault) -> list[SseFrame]:
    """Return the end of a stream that fails."""
    return [SseFrame(msgspec.json.encode(fault.streamed))]
