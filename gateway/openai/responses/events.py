"""The events of a streamed response. An answer makes the same events, with the same numbers, at any gateway."""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.http.responses import Count
from gateway.http.sse import EventId, SseFrame, encode_comment
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.errors import AnswerFailedError, ErrorDetails, fault_in_stream, fault_of_failure
from gateway.openai.responses.body import ResponseBody, ResponseObject, Status
from gateway.openai.responses.item_events import ItemEvent, OpenItem
from gateway.openai.service import SubmittedQuestion
from wire.about import weigh_blocks
from wire.blocks import Block, Piece
from wire.messages import Event, Failed, Final
from wire.threads import run_sized

BeginType = Literal["response.created", "response.queued", "response.in_progress"]
EndType = Literal["response.completed", "response.incomplete", "response.failed"]
_STATES: Sequence[tuple[BeginType, Status]] = (
    ("response.created", "in_progress"),
    ("response.in_progress", "in_progress"),
)
_BACKGROUND_STATES: Sequence[tuple[BeginType, Status]] = (
    ("response.created", "queued"),
    ("response.queued", "queued"),
    ("response.in_progress", "in_progress"),
)
_encoder = msgspec.json.Encoder()


class ResponseStateEvent(msgspec.Struct, kw_only=True):
    """The state of the whole response. The last event of a response that failed has the error also outside of it.

    For some SDKs `response.failed` is an event like others, but they raise an `error` in any event; other clients know
    no other failure than `response.failed`. So all of them see this one event as the error that it is.
    """

    response: ResponseObject
    error: ErrorDetails | UnsetType = UNSET
    type: BeginType | EndType
    sequence_number: Count = 0


class ErrorEvent(msgspec.Struct, kw_only=True):
    """The end of a stream that its gateway can't continue. The response itself has not failed, and may be read."""

    message: str
    type: Literal["error"] = "error"
    param: str | None
    code: str | None
    error: Annotated[ErrorDetails, msgspec.Meta(description="The same, as under `error` of a response.")]
    sequence_number: Count = 0


ResponseEvent = ResponseStateEvent | ItemEvent | ErrorEvent


class ResponseEvents:
    """Renders an answer as events; see gateway.http.sse.Presenter. Events with a number up to `after` are left out.

    `resumed`: a client has got the response before, so that a failure is one of its events.
    """

    reconnects = False

    def __init__(
        self,
        question: SubmittedQuestion,
        answer: AnswerAssembler,
        body: ResponseBody,
        *,
        after: int = -1,
        resumed: bool = False,
    ) -> None:
        self._question = question
        self._answer = answer
        self._body = body
        self._after = after
        self._resumed = resumed
        self._number = -1
        self._item: OpenItem | None = None
        self.finished = False

    def preamble(self, first: Event | None) -> list[SseFrame]:
        """Return the response as it begins. AnswerFailedError for an answer that fails at once."""
        if isinstance(first, Failed) and not self._resumed:
            raise AnswerFailedError(first)
        states = _BACKGROUND_STATES if self._body.background else _STATES
        return self._encode(
            *(ResponseStateEvent(response=self._body.build_empty(status), type=kind) for kind, status in states)
        )

    def sign(self, last: EventId | None) -> bytes:
        """Return a comment."""
        return encode_comment(last)

    async def render(self, event: Event) -> list[SseFrame]:
        """Return the events of `event`."""
        if isinstance(event, Failed):
            return self._fail(event)
        pieces, answer = self._answer.add(event), self._answer
        # In an end within a call there is nothing more to send: what has ended doesn't grow.
        frames = [] if answer.broken else [frame for piece in pieces for frame in self._render_piece(piece)]
        if answer.finished:
            frames += await self._end(stopped=isinstance(event, Final) and event.stopped)
        return frames

    def render_error(self, error: Exception) -> list[SseFrame]:
        """Return one error, which the SDKs raise, and no end. It is none of the answer's events: always sent."""
        details = fault_in_stream(error).streamed.error
        self._number = max(self._number, self._after)
        return self._encode(ErrorEvent(message=details.message, param=details.param, code=details.code, error=details))

    def _render_piece(self, piece: Piece) -> list[SseFrame]:
        item = self._item
        if item is not None and item.number == piece.block:
            return self._encode(*item.grow(piece))
        if piece.kind == "opaque":
            return []
        ended, index = [], 0
        if item is not None:
            block, index = self._answer.sent[item.number], item.index + 1
            ended = item.end(block, self._body.items.build(item.number, block))
        begun = Block(piece.kind, "", piece.id, piece.name, piece.custom, piece.extra)
        self._item = item = OpenItem(self._body.items, piece.block, index, begun)
        return self._encode(*ended, *item.begin(), *item.grow(piece))

    async def _end(self, *, stopped: bool) -> list[SseFrame]:
        answer, item = self._answer, self._item
        # What was sent still has a call that isn't whole.
        blocks = answer.blocks if answer.broken else answer.sent
        size = weigh_blocks(blocks)
        response = await run_sized(size, self._body.build_whole, answer, blocks, stopped=stopped)
        if answer.broken and response.status != "incomplete":
            return self._fail(answer.broken_end)
        self.finished = True
        await self._question.finish(answer, blocks)
        ended = item.end(blocks[item.number], response.output[-1]) if item and not answer.broken else []
        kind: EndType = "response.completed" if response.status == "completed" else "response.incomplete"
        return await run_sized(size, self._encode, *ended, ResponseStateEvent(response=response, type=kind))

    def _fail(self, event: Failed) -> list[SseFrame]:
        self.finished = True
        fault = fault_of_failure(event)
        response, error = self._body.build_failed(fault), fault.streamed.error
        return self._encode(ResponseStateEvent(response=response, error=error, type="response.failed"))

    def _encode(self, *events: ResponseEvent) -> list[SseFrame]:
        """Return the events that the client doesn't have yet, each with the next number."""
        frames = []
        for event in events:
            self._number += 1
            if self._number > self._after:
                event.sequence_number = self._number
                frames.append(SseFrame(_encoder.encode(event), event.type))
        return frames
