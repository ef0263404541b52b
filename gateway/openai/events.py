"""The events of a streamed response. An answer makes the same events, with the same numbers, at any gateway."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.http.responses import Count
from gateway.http.sse import EventId, SseFrame, encode_comment
from gateway.openai.answer_assembler import AnswerAssembler
from gateway.openai.errors import AnswerFailedError, ErrorDetails, fault_in_stream, fault_of_failure
from gateway.openai.response_body import (
    Empty,
    OutputMessage,
    OutputText,
    ResponseBody,
    ResponseObject,
    TextCitation,
    build_annotations,
)
from gateway.openai.service import SubmittedQuestion
from wire.blocks import join_text
from wire.messages import Event, Failed, Final


class ResponseStateEvent(msgspec.Struct, kw_only=True):
    """The state of the whole response. The last event of a response that failed has the error also outside of it.

    For some SDKs `response.failed` is an event like others, but they raise an `error` in any event; other clients know
    no other failure than `response.failed`. So all of them see this one event as the error that it is.
    """

    response: ResponseObject
    error: ErrorDetails | UnsetType = UNSET
    type: Literal[
        "response.created", "response.in_progress", "response.completed", "response.incomplete", "response.failed"
    ]
    sequence_number: Count = 0


class OutputItemEvent(msgspec.Struct, kw_only=True):
    """The beginning or the end of the message."""

    output_index: Literal[0] = 0
    item: OutputMessage
    type: Literal["response.output_item.added", "response.output_item.done"]
    sequence_number: Count = 0


class ContentPartEvent(msgspec.Struct, kw_only=True):
    """The beginning or the end of the text."""

    item_id: str
    output_index: Literal[0] = 0
    content_index: Literal[0] = 0
    part: OutputText
    type: Literal["response.content_part.added", "response.content_part.done"]
    sequence_number: Count = 0


class TextDeltaEvent(msgspec.Struct, kw_only=True):
    """New text."""

    item_id: str
    output_index: Literal[0] = 0
    content_index: Literal[0] = 0
    delta: str
    logprobs: Empty = []
    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    sequence_number: Count = 0


class AnnotationEvent(msgspec.Struct, kw_only=True):
    """A citation of the text."""

    item_id: str
    output_index: Literal[0] = 0
    content_index: Literal[0] = 0
    annotation_index: Count
    annotation: TextCitation
    type: Literal["response.output_text.annotation.added"] = "response.output_text.annotation.added"
    sequence_number: Count = 0


class TextEndEvent(msgspec.Struct, kw_only=True):
    """The whole text."""

    item_id: str
    output_index: Literal[0] = 0
    content_index: Literal[0] = 0
    text: str
    logprobs: Empty = []
    type: Literal["response.output_text.done"] = "response.output_text.done"
    sequence_number: Count = 0


class ErrorEvent(msgspec.Struct, kw_only=True):
    """The end of a stream that its gateway can't continue. The response itself has not failed, and may be read."""

    message: str
    type: Literal["error"] = "error"
    param: str | None
    code: str | None
    error: Annotated[ErrorDetails, msgspec.Meta(description="The same, as under `error` of a response.")]
    sequence_number: Count = 0


ResponseEvent = (
    ResponseStateEvent
    | OutputItemEvent
    | ContentPartEvent
    | TextDeltaEvent
    | AnnotationEvent
    | TextEndEvent
    | ErrorEvent
)


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
        self._begun = False
        self.finished = False

    def preamble(self, first: Event | None) -> list[SseFrame]:
        """Return the response as it begins. AnswerFailedError for an answer that fails at once."""
        if isinstance(first, Failed) and not self._resumed:
            raise AnswerFailedError(first)
        response = self._body.build_empty("in_progress")
        return self._encode(
            ResponseStateEvent(response=response, type="response.created"),
            ResponseStateEvent(response=response, type="response.in_progress"),
        )

    def sign(self, last: EventId | None) -> bytes:
        """Return a comment."""
        return encode_comment(last)

    async def render(self, event: Event) -> list[SseFrame]:
        """Return the events of `event`."""
        if isinstance(event, Failed):
            self.finished = True
            fault = fault_of_failure(event)
            response, error = self._body.build_failed(fault), fault.streamed.error
            return self._encode(ResponseStateEvent(response=response, error=error, type="response.failed"))
        new = join_text(self._answer.add(event))
        frames = self._encode(*self._begin()) if new or self._answer.finished else []
        if new:
            frames += self._encode(TextDeltaEvent(item_id=self._body.item_id, delta=new))
        if self._answer.finished:
            frames += await self._end(stopped=isinstance(event, Final) and event.stopped)
        return frames

    def render_error(self, error: Exception) -> list[SseFrame]:
        """Return one error, which the SDKs raise, and no end. It is none of the answer's events: always sent."""
        details = fault_in_stream(error).streamed.error
        self._number = max(self._number, self._after)
        return self._encode(ErrorEvent(message=details.message, param=details.param, code=details.code, error=details))

    def _begin(self) -> list[ResponseEvent]:
        if self._begun:
            return []
        self._begun = True
        body = self._body
        item, part = body.build_item(self._answer, "", "in_progress"), body.build_part("", [])
        return [
            OutputItemEvent(item=item, type="response.output_item.added"),
            ContentPartEvent(item_id=body.item_id, part=part, type="response.content_part.added"),
        ]

    async def _end(self, *, stopped: bool) -> list[SseFrame]:
        self.finished = True
        answer, body, text = self._answer, self._body, join_text(self._answer.sent)
        await self._question.finish(answer, answer.sent)
        citations, item_id = answer.locate_citations(text), body.item_id
        response = body.build_whole(answer, text, stopped=stopped)
        return self._encode(
            *(
                AnnotationEvent(item_id=item_id, annotation_index=index, annotation=annotation)
                for index, annotation in enumerate(build_annotations(citations))
            ),
            TextEndEvent(item_id=item_id, text=text),
            ContentPartEvent(item_id=item_id, part=body.build_part(text, citations), type="response.content_part.done"),
            OutputItemEvent(item=response.output[0], type="response.output_item.done"),
            ResponseStateEvent(
                response=response,
                type="response.completed" if response.status == "completed" else "response.incomplete",
            ),
        )

    def _encode(self, *events: ResponseEvent) -> list[SseFrame]:
        """Return the events that the client doesn't have yet, each with the next number."""
        frames = []
        for event in events:
            self._number += 1
            if self._number > self._after:
                event.sequence_number = self._number
                frames.append(SseFrame(msgspec.json.encode(event), event.type))
        return frames
