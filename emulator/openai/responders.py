"""Steps carried out on a response, as a stream of events or as one completion."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator

from aiohttp import web

from emulator import http_faults
from emulator.clock import EmulatorClock
from emulator.http_faults import HOLD_LIMIT
from emulator.json_text import Json, dump
from emulator.ledger import TurnEntry, finish
from emulator.openai import chunks, error_response
from emulator.openai.sse_layout import SseLayout
from emulator.openai.turn import CompletionTurn, SendChunk, SendDone, SendEnd, SendError, SendRaw
from emulator.pacing import Pacer
from emulator.steps import Pause, Reset, Silence, Step, Tick

LEAVE_LIMIT = 30.0  # seconds a dropped connection may take to be gone
LastStep = SendDone | SendEnd | SendError


class CompletionResponder(ABC):
    """The response to one question: the pauses, the ledger's count of text, and the ends that are no answer."""

    def __init__(self, request: web.Request, turn: CompletionTurn, entry: TurnEntry, clock: EmulatorClock) -> None:
        self.request = request
        self.turn = turn
        self.entry = entry
        self._clock = clock
        self._tokens = self._thoughts = 0

    async def play(self, steps: Iterator[Step], pacer: Pacer) -> web.StreamResponse:
        """Carry out the steps until one ends the answer."""
        for step in steps:
            if isinstance(step, Pause | Tick):
                await pacer.wait(step)
            elif isinstance(step, SendChunk):
                await self.chunk(step)
            elif isinstance(step, SendRaw):
                await self.raw(step)
            elif isinstance(step, SendDone | SendEnd | SendError):
                return await self.end(step)
            else:
                await self._drop(step)
        raise AssertionError("an outcome has no end")

    def count(self, step: SendChunk) -> None:
        """Count text that has been sent."""
        self._tokens += step.tokens
        self._thoughts += step.thought
        if step.piece:
            self.entry.deltas += 1
            self.entry.text += step.piece
            self.entry.length = len(self.entry.text)

    def usage(self) -> Json:
        """Return the usage of what has been sent."""
        return self.turn.usage(self._tokens, self._thoughts)

    def close(self, outcome: str) -> None:
        """Write the outcome into the ledger."""
        finish(self.entry, outcome, self._clock.now())

    async def _drop(self, step: Step) -> None:
        """Drop the connection; its end cancels the handler, whichever side it comes from."""
        await self.before_drop()
        if isinstance(step, Silence):
            await asyncio.sleep(HOLD_LIMIT)
        elif isinstance(step, Reset):
            self.close("reset")
            http_faults.reset(self.request)
        else:
            self.close("closed")
            if self.request.transport is not None:
                self.request.transport.close()
        await asyncio.sleep(LEAVE_LIMIT)

    @abstractmethod
    async def chunk(self, step: SendChunk) -> None:
        """Send or keep one event."""

    @abstractmethod
    async def raw(self, step: SendRaw) -> None:
        """Send or keep text of the stream."""

    @abstractmethod
    async def before_drop(self) -> None:
        """Send what is still to be sent."""

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
        self._response: web.StreamResponse | None = None
        self._waiting: list[str] = []

    async def chunk(self, step: SendChunk) -> None:
        """Send one event."""
        await self._send(self._layout.event(dump(step.body)))
        self.count(step)

    async def raw(self, step: SendRaw) -> None:
        """Send text of the stream."""
        await self._send(step.text)

    async def before_drop(self) -> None:
        """Send the events that wait for a full write."""
        if self._waiting:
            await self._flush()

    async def end(self, step: LastStep) -> web.StreamResponse:
        """Send the last events and end the response."""
        self.close(step.outcome)
        if isinstance(step, SendError):
            self._waiting.append(self._layout.event(dump(step.error.body)))
        if isinstance(step, SendDone):
            self._waiting += self._usage()
        if isinstance(step, SendDone) or (isinstance(step, SendError) and step.done):
            self._waiting.append(self._layout.event("[DONE]"))
        if isinstance(step, SendDone):
            self._waiting.append(step.after)
        response = await self._flush()
        await response.write_eof()
        return response

    def _usage(self) -> list[str]:
        if not self.turn.include_usage and not self.turn.style.always_usage:
            return []
        body = self.turn.event([]) | {"usage": self.usage()}
        return [self._layout.event(dump(body))]

    async def _send(self, text: str) -> None:
        self._waiting.append(text)
        if len(self._waiting) >= self._layout.batch:
            await self._flush()

    async def _flush(self) -> web.StreamResponse:
        if self._response is None:
            self._response = await self._begin()
        waiting, self._waiting = self._waiting, []
        for data in self._layout.writes(waiting):
            await self._response.write(data)
        return self._response

    async def _begin(self) -> web.StreamResponse:
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-cache",
            "x-request-id": error_response.request_id(),
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(self.request)
        return response


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
        return dump(chunks.join(bodies, self.usage(), self.turn.style.refusal)).encode()
