"""The frames that a client of the WebSocket subprotocol `bing-chat.v2` gets.

Every frame begins with `type`, then `id` if the client named the question, `answer` and `seq` where they are known.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.answering.parts import (
    ShownCall,
    ShownPiece,
    UsedTokens,
    called_tools,
    joined_text,
    show_pieces,
    used_tokens,
)
from gateway.errors import Problem, failure_of
from gateway.http.pictures import public_addresses
from gateway.http.responses import Count
from gateway.legacy.envelope import require_content
from gateway.v2.messages import AnswerId, RequestId
from wire.answer_reader import AnswerEvent
from wire.answers import QueuePosition
from wire.messages import Delta, Failed, Final, Replace, Source, TurnCount

NoEvent = Annotated[Literal[0], Meta(description="No event of the answer.")]
EventSeq = Annotated[
    int, Meta(ge=1, description="The event's place in the answer: one that the client has already can be ignored.")
]
NewText = Annotated[str, Meta(description="New text.")]
WholeText = Annotated[str, Meta(description="The whole text.")]
ReasonName = Annotated[str, Meta(description="What went wrong, finer than the code.")]
RetryAfter = Annotated[Count | None, Meta(description="When to come back, in seconds.")]
ProviderName = Annotated[str, Meta(description="Who answers.")]
ModelOfAnswer = Annotated[str, Meta(description="The model that answers, by its server's own name for it.")]

_encode = msgspec.json.Encoder().encode


class AnswerFrame(msgspec.Struct, kw_only=True, gc=False, tag_field="type"):
    """A frame of an answer."""

    id: RequestId | UnsetType = UNSET
    answer: AnswerId


class AcceptedFrame(AnswerFrame, kw_only=True, gc=False, tag="accepted"):
    """The question is taken, or the answer to resume is there."""

    seq: NoEvent = 0
    token: str


class QueuedFrame(AnswerFrame, kw_only=True, gc=False, tag="queued"):
    """It waits: 1 is the next one, 0 one that waits for an account. Sent again when that changes."""

    seq: NoEvent = 0
    position: Count
    wait: Count


class DeltaFrame(AnswerFrame, kw_only=True, gc=False, tag="delta"):
    """New text."""

    seq: EventSeq
    text: NewText
    pieces: (
        Annotated[Sequence[ShownPiece], Meta(description="All that is new, where that isn't only text.")] | UnsetType
    ) = UNSET
    provider: ProviderName | UnsetType = UNSET
    model: ModelOfAnswer | UnsetType = UNSET


class PiecesFrame(AnswerFrame, kw_only=True, gc=False, tag="pieces"):
    """New reasoning or calls of tools, without text. A client may ignore it."""

    seq: EventSeq
    pieces: Sequence[ShownPiece]
    provider: ProviderName | UnsetType = UNSET
    model: ModelOfAnswer | UnsetType = UNSET


class ReplaceFrame(AnswerFrame, kw_only=True, gc=False, tag="replace"):
    """The upstream took its text back: this is all of it so far."""

    seq: EventSeq
    text: WholeText
    provider: ProviderName | UnsetType = UNSET
    model: ModelOfAnswer | UnsetType = UNSET


class FinalFrame(AnswerFrame, kw_only=True, gc=False, tag="final"):
    """The end: the whole answer."""

    seq: EventSeq
    text: WholeText
    urls: Sequence[Source]
    suggestions: Sequence[str]
    turns: TurnCount | None
    reset: Annotated[bool, Meta(description="The conversation was not continued.")]
    stopped: Annotated[bool, Meta(description="It was stopped.")]
    images: (
        Annotated[Sequence[str], Meta(description="The addresses of pictures, for an image request.")] | UnsetType
    ) = UNSET
    provider: ProviderName | UnsetType = UNSET
    model: ModelOfAnswer | UnsetType = UNSET
    reasoning: Annotated[str, Meta(description="The whole reasoning, if there is any.")] | UnsetType = UNSET
    refusal: Annotated[str, Meta(description="Why the model declined, if it did.")] | UnsetType = UNSET
    tool_calls: Annotated[Sequence[ShownCall], Meta(description="The calls, if there are any.")] | UnsetType = UNSET
    usage: Annotated[UsedTokens, Meta(description="Tokens, where the upstream counts them.")] | UnsetType = UNSET


class FailedFrame(AnswerFrame, kw_only=True, gc=False, tag="failed"):
    """The end: the answer failed, after `text`."""

    seq: EventSeq
    code: int
    message: str
    reason: ReasonName
    text: str
    reset: bool
    retry_after: RetryAfter
    provider: ProviderName | UnsetType = UNSET


class RefusedFrame(msgspec.Struct, kw_only=True, gc=False, tag_field="type", tag="failed"):
    """A message was refused. With `answer`, this gateway stops following that answer, which may continue."""

    id: RequestId | UnsetType = UNSET
    answer: AnswerId | UnsetType = UNSET
    code: int
    message: str
    reason: ReasonName
    retry_after: RetryAfter


class V2Frames:
    """Renders the frames of one answer, for a client that named its question `id_`.

    `origin` begins the addresses of pictures that are kept here.
    """

    def __init__(self, id_: str | None, answer: str, english: bool = False, origin: str = "") -> None:
        self.answer = answer
        self._id = UNSET if id_ is None else id_
        self._english = english
        self._origin = origin

    def render_accepted(self, token: str) -> bytes:
        """Return the frame of a question that is in Redis."""
        return _encode(AcceptedFrame(id=self._id, answer=self.answer, token=token))

    def render_queued(self, place: QueuePosition) -> bytes:
        """Return the frame of a question's place in the queue."""
        return _encode(QueuedFrame(id=self._id, answer=self.answer, position=place.position, wait=place.wait))

    def render(self, entry: AnswerEvent) -> bytes:
        """Return the frame of an event of the answer."""
        seq = entry.seq
        match entry.event:
            case Delta() as delta:
                return _encode(self._delta(seq, delta))
            case Replace() as replace:
                return _encode(
                    ReplaceFrame(
                        id=self._id,
                        answer=self.answer,
                        seq=seq,
                        text=replace.text,
                        provider=replace.provider or UNSET,
                        model=replace.model or UNSET,
                    )
                )
            case Final() | Failed() as end:
                end = require_content(end)
                return _encode(self._failed(seq, end) if isinstance(end, Failed) else self._final(seq, end))

    def render_error(self, problem: Problem) -> bytes:
        """Return the frame that ends following: it is no event of the answer, which may continue."""
        return _encode(_refused(problem, self._id, self.answer))

    def _delta(self, seq: int, event: Delta) -> DeltaFrame | PiecesFrame:
        """Return the frame of what continues an answer: each event has one, so that no seq is missing or repeated."""
        provider, model = event.provider or UNSET, event.model or UNSET
        if all(piece.kind == "text" for piece in event.pieces):
            return DeltaFrame(id=self._id, answer=self.answer, seq=seq, text=event.text, provider=provider, model=model)
        pieces = show_pieces(event.pieces)
        if not event.text:
            return PiecesFrame(id=self._id, answer=self.answer, seq=seq, pieces=pieces, provider=provider, model=model)
        return DeltaFrame(
            id=self._id, answer=self.answer, seq=seq, text=event.text, pieces=pieces, provider=provider, model=model
        )

    def _final(self, seq: int, event: Final) -> FinalFrame:
        return FinalFrame(
            id=self._id,
            answer=self.answer,
            seq=seq,
            text=event.text,
            urls=event.urls,
            suggestions=event.suggestions,
            turns=event.turns,
            reset=event.reset,
            stopped=event.stopped,
            images=public_addresses(self._origin, event.images) or UNSET,
            provider=event.provider or UNSET,
            model=event.model or UNSET,
            reasoning=joined_text(event.blocks, "reasoning") or UNSET,
            refusal=joined_text(event.blocks, "refusal") or UNSET,
            tool_calls=called_tools(event.blocks) or UNSET,
            usage=used_tokens(event.usage) or UNSET,
        )

    def _failed(self, seq: int, event: Failed) -> FailedFrame:
        problem = failure_of(event, self._english)
        return FailedFrame(
            id=self._id,
            answer=self.answer,
            seq=seq,
            code=problem.code,
            message=problem.message,
            reason=event.reason,
            text=event.text,
            reset=event.reset,
            retry_after=event.retry_after,
            provider=event.provider or UNSET,
        )


def render_refusal(id_: str | None, problem: Problem) -> bytes:
    """Return the frame of a client's message that was refused."""
    return _encode(_refused(problem, UNSET if id_ is None else id_))


def _refused(problem: Problem, id_: str | UnsetType, answer: str | UnsetType = UNSET) -> RefusedFrame:
    return RefusedFrame(
        id=id_,
        answer=answer,
        code=problem.code,
        message=problem.message,
        reason=problem.reason,
        retry_after=problem.retry_after,
    )
