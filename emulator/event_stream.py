"""Answers as events with names: sent as a stream, or folded into one body."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from emulator.clock import EmulatorClock
from emulator.event_writer import EventWriter
from emulator.json_text import Json, dump
from emulator.ledger import TurnEntry
from emulator.responder import AnswerResponder
from emulator.sse_layout import SseLayout
from emulator.steps import Step


@dataclass(frozen=True, slots=True)
class SendEvent(Step):
    """One event. name: of the event, none if empty. piece: the answer's text in it."""

    body: Json
    name: str = ""
    piece: str = ""


@dataclass(frozen=True, slots=True)
class SendStreamText(Step):
    """Text of the stream exactly as given, line ends included. spoils: whether it cuts off a whole body."""

    text: str
    spoils: bool = True


@dataclass(frozen=True, slots=True)
class FinishAnswer(Step):
    """The last events, none if they are missing, and the end. outcome: goes into the ledger before they leave.

    after: text of the stream behind them.
    """

    events: tuple[SendEvent, ...] = ()
    outcome: str = "Success"
    after: str = ""


class RenderedError(Protocol):
    """An error that is a response of its own."""

    def render(self) -> web.Response:
        """Return the HTTP response."""


@dataclass(frozen=True, slots=True)
class FailAnswer(Step):
    """An error as an event of the stream, or as the response where no stream was asked for; then the end."""

    event: SendEvent
    error: RenderedError
    outcome: str


class EventStreamResponder(AnswerResponder):
    """Server-sent events; the response begins with the first of them. headers: of the response."""

    def __init__(
        self,
        request: web.Request,
        entry: TurnEntry,
        clock: EmulatorClock,
        layout: SseLayout,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(request, entry, clock)
        self._layout = layout
        self._writer = EventWriter(request, layout, headers)

    async def carry_out(self, step: Step) -> web.StreamResponse | None:
        """Send an event, or text of the stream, or the end."""
        if isinstance(step, SendEvent):
            await self._writer.send(self._event(step))
            self.count_text(step.piece)
        elif isinstance(step, SendStreamText):
            await self._writer.send(step.text)
        elif isinstance(step, FinishAnswer | FailAnswer):
            self.close(step.outcome)
            for event in step.events if isinstance(step, FinishAnswer) else (step.event,):
                self._writer.add(self._event(event))
            if isinstance(step, FinishAnswer):
                self._writer.add(step.after)
            return await self._writer.end()
        return None

    async def before_drop(self) -> None:
        """Send the events that wait for a full write."""
        await self._writer.flush_waiting()

    def _event(self, step: SendEvent) -> str:
        name = f"event:{self._layout.space}{step.name}\n" if step.name else ""
        return name + self._layout.event(dump(step.body))


class WholeBodyResponder(AnswerResponder):
    """One body, to which the same events add up. fold: adds them up."""

    def __init__(
        self,
        request: web.Request,
        entry: TurnEntry,
        clock: EmulatorClock,
        fold: Callable[[Sequence[Json]], Json],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(request, entry, clock)
        self._fold = fold
        self._headers = headers
        self._events: list[SendEvent] = []
        self._is_spoilt = False

    async def carry_out(self, step: Step) -> web.StreamResponse | None:
        """Keep an event for the body, or return the response."""
        if isinstance(step, SendEvent):
            self._events.append(step)
        elif isinstance(step, SendStreamText):
            self._is_spoilt = self._is_spoilt or step.spoils
        elif isinstance(step, FailAnswer):
            self.close(step.outcome)
            return step.error.render()
        elif isinstance(step, FinishAnswer):
            self._events += step.events
            data = self._body()
            self.close(step.outcome)
            data = data[: len(data) // 2] if self._is_spoilt else data
            return web.Response(body=data, content_type="application/json", headers=self._headers)
        return None

    async def before_drop(self) -> None:
        """Send half of the body, if any text was written."""
        if not any(event.piece for event in self._events):
            return
        data = self._body()
        response = web.StreamResponse(headers={"Content-Type": "application/json", **self._headers})
        response.content_length = len(data)
        await response.prepare(self.request)
        await response.write(data[: len(data) // 2])

    def _body(self) -> bytes:
        for event in self._events:
            self.count_text(event.piece)
        return dump(self._fold([event.body for event in self._events])).encode()
