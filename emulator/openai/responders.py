"""Steps carried out on a response, as a stream of events or as one completion."""

from abc import abstractmethod

from aiohttp import web

from emulator.clock import EmulatorClock
from emulator.event_writer import EventWriter
from emulator.json_text import Json, dump
from emulator.ledger import TurnEntry
from emulator.openai import chunks, error_response
from emulator.openai.turn import CompletionTurn, SendChunk, SendDone, SendEnd, SendError, SendRaw
from emulator.responder import AnswerResponder
from emulator.sse_layout import SseLayout
from emulator.steps import Step

LastStep = SendDone | SendEnd | SendError


class CompletionResponder(AnswerResponder):
    """The response to one question of this API."""

    def __init__(self, request: web.Request, turn: CompletionTurn, entry: TurnEntry, clock: EmulatorClock) -> None:
        super().__init__(request, entry, clock)
        self.turn = turn
        self._tokens = self._thoughts = 0

    async def carry_out(self, step: Step) -> web.StreamResponse | None:
        """Carry out a step of this API."""
        if isinstance(step, SendChunk):
            await self.chunk(step)
        elif isinstance(step, SendRaw):
            await self.raw(step)
        elif isinstance(step, SendDone | SendEnd | SendError):
            return await self.end(step)
        return None

    def count(self, step: SendChunk) -> None:
        """Count text that has been sent."""
        self._tokens += step.tokens
        self._thoughts += step.thought
        self.count_text(step.piece)

    def usage(self) -> Json:
        """Return the usage of what has been sent."""
        return self.turn.usage(self._tokens, self._thoughts)

    @abstractmethod
    async def chunk(self, step: SendChunk) -> None:
        """Send or keep one event."""

    @abstractmethod
    async def raw(self, step: SendRaw) -> None:
        """Send or keep text of the stream."""

    @abstractmethod
    async def end(self, step: LastStep) -> web.StreamResponse:
        """Send the end of the answer, and return the response."""


class StreamResponder(CompletionResponder):
    """Server-sent events; the response begins with the first of them."""

    def __init__(
        self, request: web.Request, turn: CompletionTurn, entry: TurnEntry, clock: EmulatorClock, layout: SseLayout
    ) -> None:
        super().__init__(request, turn, entry, clock)
        self._layout = layout
        self._writer = EventWriter(request, layout, {"x-request-id": error_response.request_id()})

    async def chunk(self, step: SendChunk) -> None:
        """Send one event."""
        await self._writer.send(self._layout.event(dump(self.turn.present(step.body))))
        self.count(step)

    async def raw(self, step: SendRaw) -> None:
        """Send text of the stream."""
        await self._writer.send(step.text)

    async def before_drop(self) -> None:
        """Send the events that wait for a full write."""
        await self._writer.flush_waiting()

    async def end(self, step: LastStep) -> web.StreamResponse:
        """Send the last events and end the response."""
        self.close(step.outcome)
        if isinstance(step, SendError):
            self._writer.add(self._layout.event(dump(step.error.body)))
        if isinstance(step, SendDone):
            for event in self._usage():
                self._writer.add(event)
        if isinstance(step, SendDone) or (isinstance(step, SendError) and step.done):
            self._writer.add(self._layout.event("[DONE]"))
        if isinstance(step, SendDone):
            self._writer.add(step.after)
        return await self._writer.end()

    def _usage(self) -> list[str]:
        if not self.turn.include_usage and not self.turn.style.always_usage:
            return []
        body = self.turn.event([]) | {"usage": self.usage()}
        return [self._layout.event(dump(self.turn.present(body)))]


class WholeResponder(CompletionResponder):
    """One completion, made of the same events."""

    def __init__(self, request: web.Request, turn: CompletionTurn, entry: TurnEntry, clock: EmulatorClock) -> None:
        super().__init__(request, turn, entry, clock)
        self._chunks: list[SendChunk] = []
        self._is_spoilt = False

    async def chunk(self, step: SendChunk) -> None:
        """Keep one event for the completion."""
        self._chunks.append(step)

    async def raw(self, step: SendRaw) -> None:
        """Note whether the completion is to be cut off."""
        self._is_spoilt = self._is_spoilt or step.spoils

    async def before_drop(self) -> None:
        """Send half of the completion, if any text was written."""
        if not any(chunk.tokens for chunk in self._chunks):
            return
        data = self._completion()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(data)
        await response.prepare(self.request)
        await response.write(data[: len(data) // 2])

    async def end(self, step: LastStep) -> web.StreamResponse:
        """Return the completion, or the error in its place."""
        if isinstance(step, SendError):
            self.close(step.outcome)
            return step.error.render()
        data = self._completion()
        self.close(step.outcome)
        if self._is_spoilt:
            data = data[: len(data) // 2]
        headers = {"x-request-id": error_response.request_id()}
        return web.Response(body=data, content_type="application/json", headers=headers)

    def _completion(self) -> bytes:
        for chunk in self._chunks:
            self.count(chunk)
        bodies = (chunk.body for chunk in self._chunks)
        whole = chunks.join(bodies, self.usage(), self.turn.style.refusal)
        return dump(self.turn.present(whole)).encode()
