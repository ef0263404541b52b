"""The steps of an answer carried out on a response, as far as every API under /v1 does it alike."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator

from aiohttp import web

from emulator import http_faults
from emulator.clock import EmulatorClock
from emulator.http_faults import HOLD_LIMIT
from emulator.ledger import TurnEntry, finish
from emulator.pacing import Pacer
from emulator.steps import Close, Pause, Reset, Silence, Step, Tick

LEAVE_LIMIT = 30.0  # seconds a dropped connection may take to be gone


class AnswerResponder(ABC):
    """The response to one question: the pauses, the ledger's count of text, and the ends that are no answer."""

    def __init__(self, request: web.Request, entry: TurnEntry, clock: EmulatorClock) -> None:
        self.request = request
        self.entry = entry
        self._clock = clock

    async def play(self, steps: Iterator[Step], pacer: Pacer) -> web.StreamResponse:
        """Carry out the steps until one ends the answer."""
        for step in steps:
            if isinstance(step, Pause | Tick):
                await pacer.wait(step)
            elif isinstance(step, Close | Reset | Silence):
                await self._drop(step)
            else:
                response = await self.carry_out(step)
                if response is not None:
                    return response
        raise AssertionError("an outcome has no end")

    def count_text(self, piece: str) -> None:
        """Count text that has been sent."""
        if piece:
            self.entry.deltas += 1
            self.entry.text += piece
            self.entry.length = len(self.entry.text)

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
    async def carry_out(self, step: Step) -> web.StreamResponse | None:
        """Carry out a step of the API's own, and return the response if it ends the answer."""

    @abstractmethod
    async def before_drop(self) -> None:
        """Send what is still to be sent."""
