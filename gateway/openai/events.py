"""The events of a streamed response. The same answer makes the same events at any gateway, with the same numbers."""

from typing import Any

import msgspec

from gateway.http.sse import SseFrame
from gateway.openai.errors import AnswerFailedError, Fault, fault_of, fault_of_failure
from gateway.openai.response_body import ResponseBody, annotations
from gateway.openai.service import SubmittedQuestion
from gateway.openai.text_assembler import TextAssembler
from wire.messages import Event, Failed, Final

_PLACE = {"output_index": 0, "content_index": 0}


class ResponseEvents:
    """Tells an answer in events; see gateway.http.sse.Presenter. What has a number up to `after` is left out.

    `resumed`: somebody was told of the response already, so that its failure is one of its events.
    """

    reconnects = False

    def __init__(
        self,
        question: SubmittedQuestion,
        writing: TextAssembler,
        reply: ResponseBody,
        *,
        after: int = -1,
        resumed: bool = False,
    ) -> None:
        self._question = question
        self._writing = writing
        self._reply = reply
        self._after = after
        self._resumed = resumed
        self._number = -1
        self._begun = False
        self.finished = False

    def preamble(self, first: Event | None) -> list[SseFrame]:
        """The response as it begins. AnswerFailedError for an answer that fails at once."""
        if isinstance(first, Failed) and not self._resumed:
            raise AnswerFailedError(first)
        response = self._reply.waiting("in_progress")
        return self._told(
            ("response.created", {"response": response}), ("response.in_progress", {"response": response})
        )

    async def render(self, event: Event) -> list[SseFrame]:
        """What `event` makes."""
        if isinstance(event, Failed):
            self.finished = True
            fault = fault_of_failure(event)
            return self._told(("response.failed", {"response": self._reply.failed(fault)}), _error(fault))
        out = self._writing.add(event)
        made = self._told(*self._begin()) if out or self._writing.over else []
        if out:
            delta = {"item_id": self._reply.item_id, **_PLACE, "delta": out, "logprobs": []}
            made += self._told(("response.output_text.delta", delta))
        if self._writing.over:
            made += await self._end(stopped=isinstance(event, Final) and event.stopped)
        return made

    def render_error(self, error: Exception) -> list[SseFrame]:
        """One error, which the SDKs raise, and no end."""
        return self._told(_error(fault_of(error)))

    def _begin(self) -> list[tuple[str, dict[str, Any]]]:
        if self._begun:
            return []
        self._begun = True
        item = self._reply.item(self._writing, "", "in_progress")
        part = {"item_id": self._reply.item_id, **_PLACE, "part": self._reply.part("", [])}
        return [
            ("response.output_item.added", {"output_index": 0, "item": item}),
            ("response.content_part.added", part),
        ]

    async def _end(self, *, stopped: bool) -> list[SseFrame]:
        self.finished = True
        writing, reply, text = self._writing, self._reply, self._writing.sent
        await self._question.end(writing, text)
        cited, place = writing.citations(text), {"item_id": reply.item_id, **_PLACE}
        response = reply.ended(writing, text, stopped=stopped)
        return self._told(
            *(
                ("response.output_text.annotation.added", {**place, "annotation_index": number, "annotation": one})
                for number, one in enumerate(annotations(cited))
            ),
            ("response.output_text.done", {**place, "text": text, "logprobs": []}),
            ("response.content_part.done", {**place, "part": reply.part(text, cited)}),
            ("response.output_item.done", {"output_index": 0, "item": response["output"][0]}),
            (
                "response.incomplete" if response["status"] != "completed" else "response.completed",
                {"response": response},
            ),
        )

    def _told(self, *events: tuple[str, dict[str, Any]]) -> list[SseFrame]:
        """The events that the client doesn't have yet, each with the next number."""
        made = []
        for kind, rest in events:
            self._number += 1
            if self._number > self._after:
                shown = {**rest, "type": kind, "sequence_number": self._number}
                made.append(SseFrame(msgspec.json.encode(shown), kind))
        return made


def _error(fault: Fault) -> tuple[str, dict[str, Any]]:
    """The event at which the SDKs raise; `response.failed` alone they take for an event like any other."""
    return "error", {**fault.error, "error": fault.error}
