"""The events of a streamed message: its blocks one after the other, and always an end or an error."""

import msgspec

from gateway.anthropic.errors import error_frame
from gateway.anthropic.growing_content import GrowingContent, encode_frame
from gateway.anthropic.message_body import (
    MessageObject,
    MessageUsage,
    StopReason,
    message_id,
    sources_of,
    stop_reason,
    stop_sequence,
    usage_of,
)
from gateway.http.sse import EventId, SseFrame, encode_event
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.errors import AnswerFailedError, fault_in_stream, fault_of_failure
from gateway.openai.models import model_name
from gateway.openai.service import SubmittedQuestion
from gateway.openai.usage import count_tokens
from wire.blocks import Piece
from wire.messages import Event, Failed


class MessageStart(msgspec.Struct, kw_only=True, tag_field="type", tag="message_start"):
    """The message without its content. Its model is the one that was asked for, its usage an estimate."""

    message: MessageObject


class MessageEnd(msgspec.Struct, kw_only=True):
    """Why the message ended."""

    stop_reason: StopReason
    stop_sequence: str | None


class MessageDelta(msgspec.Struct, kw_only=True, tag_field="type", tag="message_delta"):
    """The end of the message, with all of its tokens."""

    delta: MessageEnd
    usage: MessageUsage


class MessageStop(msgspec.Struct, tag_field="type", tag="message_stop"):
    """The last event of a message that is whole."""


class StreamPing(msgspec.Struct, tag_field="type", tag="ping"):
    """A sign of life."""


class MessageEvents:
    """Renders an answer as events; see gateway.http.sse.Presenter. `request` is the request's id, for errors."""

    reconnects = False

    def __init__(self, question: SubmittedQuestion, answer: AnswerAssembler, request: str) -> None:
        self._question = question
        self._answer = answer
        self._request = request
        self._content: GrowingContent | None = None
        self._next = 0
        self.finished = False

    def preamble(self, first: Event | None) -> list[SseFrame]:
        """Return the beginning, which names the model as asked. AnswerFailedError for an answer that fails."""
        if isinstance(first, Failed):
            raise AnswerFailedError(first)
        about = self._question.about
        usage = MessageUsage(
            input_tokens=count_tokens(None, about, "").prompt,
            cache_creation_input_tokens=0,
            cache_read_input_tokens=0,
            output_tokens=0,
        )
        message = MessageObject(
            id=message_id(self._question.answer),
            model=about.model if about.dialect else model_name(about.style),
            content=[],
            stop_reason=None,
            stop_sequence=None,
            usage=usage,
        )
        return [encode_frame(MessageStart(message=message))]

    def sign(self, last: EventId | None) -> bytes:
        """Return a ping, which is an event of its own in this API."""
        frame = encode_frame(StreamPing())
        return encode_event(frame.data, last, frame.name)

    async def render(self, event: Event) -> list[SseFrame]:
        """Return the events of `event`."""
        if isinstance(event, Failed):
            self.finished = True
            return [error_frame(fault_of_failure(event), self._request)]
        pieces = self._answer.add(event)
        if self._answer.broken:
            # A call was begun that isn't whole, and can't be taken back.
            self.finished = True
            return [error_frame(fault_of_failure(self._answer.broken_end), self._request)]
        frames = [frame for piece in pieces for frame in self._render_piece(piece)]
        return [*frames, *await self._end()] if self._answer.finished else frames

    def render_error(self, error: Exception) -> list[SseFrame]:
        """Return one error, which the SDKs raise, and no end."""
        return [error_frame(fault_in_stream(error), self._request)]

    def _render_piece(self, piece: Piece) -> list[SseFrame]:
        closed: list[SseFrame] = []
        if self._content is None or self._content.number != piece.block:
            closed = self._close()
            self._content = GrowingContent(piece, self._next)
        return [*closed, *self._content.add(piece)]

    def _close(self) -> list[SseFrame]:
        """Return the end of the block that grows."""
        content, self._content = self._content, None
        frames = content.close() if content is not None else []
        self._next += bool(frames)
        return frames

    async def _end(self) -> list[SseFrame]:
        self.finished = True
        question, answer = self._question, self._answer
        await question.finish(answer, answer.sent)
        content = self._content
        cited = sources_of(answer) if content is not None and content.is_text else []
        frames = [frame for source in cited if content is not None for frame in content.cite(source)]
        end = MessageDelta(
            delta=MessageEnd(stop_reason=stop_reason(answer), stop_sequence=stop_sequence(answer)),
            usage=usage_of(answer, question.about, answer.sent),
        )
        return [*frames, *self._close(), encode_frame(end), encode_frame(MessageStop())]
