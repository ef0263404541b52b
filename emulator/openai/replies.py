"""Steps carried out on a response, as a stream of events or as one completion."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator

from aiohttp import web

from emulator import frames, peer
from emulator.clock import Clock
from emulator.ledger import TurnEntry, finish
from emulator.openai import chunks, problem
from emulator.openai.framing import Framing
from emulator.openai.turn import Chunk, Close, End, Failure, Final, Raw, Reset, Silence, Step, Turn
from emulator.pace import Pace, Pause, Tick
from emulator.peer import HOLD_LIMIT

LEAVE_LIMIT = 30.0  # seconds a dropped connection may take to be gone
Ending = Final | End | Failure


class Reply(ABC):
    """What both ways share: the pauses, the ledger's count of text, and the ends that are no answer."""

    def __init__(self, request: web.Request, turn: Turn, entry: TurnEntry, clock: Clock) -> None:
        self.request = request
        self.turn = turn
        self.entry = entry
        self._clock = clock

    async def play(self, steps: Iterator[Step], pace: Pace) -> web.StreamResponse:
        """Carry out the steps until one ends the answer."""
        for step in steps:
            if isinstance(step, Pause | Tick):
                await pace.wait(step)
            elif isinstance(step, Chunk):
                await self.chunk(step)
            elif isinstance(step, Raw):
                await self.raw(step)
            elif isinstance(step, Final | End | Failure):
                return await self.end(step)
            else:
                await self._drop(step)
        raise AssertionError("an outcome has no end")

    def count(self, piece: str) -> None:
        """Text has left."""
        if piece:
            self.entry.deltas += 1
            self.entry.text += piece
            self.entry.length = len(self.entry.text)

    def close(self, outcome: str) -> None:
        finish(self.entry, outcome, self._clock.now())

    async def _drop(self, step: Close | Reset | Silence) -> None:
        """The connection's end cancels the handler, whichever side it comes from."""
        await self.before_drop()
        if isinstance(step, Silence):
            await asyncio.sleep(HOLD_LIMIT)
        elif isinstance(step, Reset):
            self.close("reset")
            peer.reset(self.request)
        else:
            self.close("closed")
            if self.request.transport is not None:
                self.request.transport.close()
        await asyncio.sleep(LEAVE_LIMIT)

    @abstractmethod
    async def chunk(self, step: Chunk) -> None: ...

    @abstractmethod
    async def raw(self, step: Raw) -> None: ...

    @abstractmethod
    async def before_drop(self) -> None:
        """Let all that was said go out."""

    @abstractmethod
    async def end(self, step: Ending) -> web.StreamResponse: ...


class Streamed(Reply):
    """Server-sent events; the response begins with the first of them."""

    def __init__(self, request: web.Request, turn: Turn, entry: TurnEntry, clock: Clock, framing: Framing) -> None:
        super().__init__(request, turn, entry, clock)
        self._framing = framing
        self._response: web.StreamResponse | None = None
        self._waiting: list[str] = []

    async def chunk(self, step: Chunk) -> None:
        await self._send(self._framing.event(frames.dump(step.body)))
        self.count(step.piece)

    async def raw(self, step: Raw) -> None:
        await self._send(step.text)

    async def before_drop(self) -> None:
        if self._waiting:
            await self._flush()

    async def end(self, step: Ending) -> web.StreamResponse:
        self.close(step.outcome)
        if isinstance(step, Failure):
            self._waiting.append(self._framing.event(frames.dump(step.problem.body)))
        if isinstance(step, Final):
            self._waiting += self._usage()
        if isinstance(step, Final) or (isinstance(step, Failure) and step.done):
            self._waiting.append(self._framing.event("[DONE]"))
        if isinstance(step, Final):
            self._waiting.append(step.after)
        response = await self._flush()
        await response.write_eof()
        return response

    def _usage(self) -> list[str]:
        if not self.turn.include_usage:
            return []
        body = self.turn.event([]) | {"usage": self.turn.spent(self.entry.deltas)}
        return [self._framing.event(frames.dump(body))]

    async def _send(self, text: str) -> None:
        self._waiting.append(text)
        if len(self._waiting) >= self._framing.batch:
            await self._flush()

    async def _flush(self) -> web.StreamResponse:
        if self._response is None:
            self._response = await self._begun()
        waiting, self._waiting = self._waiting, []
        for data in self._framing.writes(waiting):
            await self._response.write(data)
        return self._response

    async def _begun(self) -> web.StreamResponse:
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-cache",
            "x-request-id": problem.request_id(),
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(self.request)
        return response


class Whole(Reply):
    """One completion, made of the same events."""

    def __init__(self, request: web.Request, turn: Turn, entry: TurnEntry, clock: Clock) -> None:
        super().__init__(request, turn, entry, clock)
        self._chunks: list[Chunk] = []
        self._spoilt = False

    async def chunk(self, step: Chunk) -> None:
        self._chunks.append(step)

    async def raw(self, step: Raw) -> None:
        self._spoilt = self._spoilt or step.spoils

    async def before_drop(self) -> None:
        """Half of the completion, if any text was written."""
        if not any(chunk.piece for chunk in self._chunks):
            return
        data = self._completion()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = len(data)
        await response.prepare(self.request)
        await response.write(data[: len(data) // 2])

    async def end(self, step: Ending) -> web.StreamResponse:
        if isinstance(step, Failure):
            self.close(step.outcome)
            return step.problem.response()
        data = self._completion()
        self.close(step.outcome)
        if self._spoilt:
            data = data[: len(data) // 2]
        headers = {"x-request-id": problem.request_id()}
        return web.Response(body=data, content_type="application/json", headers=headers)

    def _completion(self) -> bytes:
        for chunk in self._chunks:
            self.count(chunk.piece)
        bodies = (chunk.body for chunk in self._chunks)
        return frames.dump(chunks.whole(bodies, self.turn.spent(self.entry.deltas))).encode()
