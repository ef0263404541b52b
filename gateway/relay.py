"""Relays answers: hands a question over, and turns the answer's events into the frames of the old protocol."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

import structlog
from prometheus_client import Histogram

from gateway import envelope
from gateway.errors import Problem
from gateway.metrics import first_text
from gateway.turns import Turns, background
from wire.answers import Answers, Entry
from wire.errors import AnswerGoneError, StoreUnavailableError
from wire.jobs import ANYBODY, Client, Jobs
from wire.messages import Delta, Event, Failed, Final, Replace, Work, grown

# Beyond the limits that others watch over, so that theirs end an answer first.
_MARGIN = 5.0
# How often Redis is told that somebody waits for an answer, and how soon again after it was away, in seconds.
_FOLLOW_EVERY = 5.0
_AWAY_PAUSE = 0.5
_LOG = structlog.get_logger()


class Frames:
    """The frames of one streamed answer. The joined deltas always end with the whole answer.

    `token` is None for a client that never saw one.
    """

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._deltas = envelope.DeltaFrames(token)
        # The pieces of the text so far: to add to one text would copy it with each.
        self._pieces: list[str] = []
        self._ended = False

    def of(self, event: Event) -> list[bytes]:
        """The frames that `event` makes; the last one of a terminal event is the terminal frame."""
        match event:
            case Delta(text=text):
                self._pieces.append(text)
                return self._delta(text)
            case Replace(text=text):
                self._pieces = [text]
                return self._delta(text)
            case Final():
                self._ended = True
                return [*self._delta(self._missing(event.text)), final(event, self._token, streaming=True)]
            case Failed():
                self._ended = True
                return [envelope.error(event.code, event.message)]

    @property
    def ended(self) -> bool:
        """Whether the terminal event was there."""
        return self._ended

    def check_ended(self) -> None:
        """AnswerGoneError when the events stopped without a terminal one: their log is no longer kept."""
        if not self._ended:
            raise AnswerGoneError("the answer's events stopped")

    def _missing(self, text: str) -> str:
        """What a client that has the deltas lacks of the whole answer: its rest, or all of it if it was replaced."""
        told = "".join(self._pieces)
        return text.removeprefix(told) if text.startswith(told) else text

    def _delta(self, text: str) -> list[bytes]:
        return [self._deltas.frame(text)] if text else []


def final(event: Final, token: str | None, *, streaming: bool) -> bytes:
    """The frame of a whole answer. A stopped one is a success that resets the conversation."""
    reset = event.reset or event.stopped
    return envelope.answer(event.text, event.urls, done=True if streaming else None, reset=reset, token=token)


def problem(event: Failed) -> Problem:
    """What a client is told of a job that failed."""
    return Problem(event.code, event.message, event.retry_after)


@dataclass(frozen=True)
class Relay:
    """Asks and follows. Times are in seconds."""

    jobs: Jobs
    answers: Answers
    turns: Turns
    queue_timeout: float
    answer_timeout: float
    first_text: Histogram = field(default_factory=first_text)

    @property
    def limit(self) -> float:
        """How long a turn may take in all."""
        return self.queue_timeout + self.answer_timeout + _MARGIN

    @asynccontextmanager
    async def ask(
        self, answer: str, work: Work, token: str, *, create: bool, client: Client = ANYBODY
    ) -> AsyncIterator[AsyncGenerator[Entry, None]]:
        """Hand `work` over and follow its answer.

        TokenUnknownError, QueueFullError, ClientFullError, StoreUnavailableError.
        """
        # Following begins first, so that subscribing and queueing overlap.
        async with self.answers.follow(answer, first=self._timer()) as entries:
            await self.jobs.submit(answer, work, token, create=create, client=client)
            async with background(self._attend(answer)):
                yield entries

    @asynccontextmanager
    async def resume(
        self, answer: str, after: int = 0, *, new: bool = False
    ) -> AsyncIterator[AsyncGenerator[Entry, None]]:
        """Follow an answer that was asked for before, from behind its event `after`; `new` if that was just now."""
        first = self._timer() if new else None
        async with self.answers.follow(answer, after, first=first) as entries, background(self._attend(answer)):
            yield entries

    async def whole(self, entries: AsyncIterator[Entry]) -> Final | Failed:
        """The terminal event. AnswerGoneError when the events stop without one."""
        async for entry in entries:
            if isinstance(entry.event, Final | Failed):
                return entry.event
        raise AnswerGoneError("the answer's events stopped")

    def _timer(self) -> Callable[[Event], None]:
        """To be told the first event: how long it took, if it brought text."""
        began = monotonic()

        def first(event: Event) -> None:
            if grown("", event):
                self.first_text.observe(monotonic() - began)

        return first

    async def _attend(self, answer: str) -> None:
        """While the job waits, say that somebody waits for it; end it when that takes too long.

        A job that runs by then is left alone.
        """
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self.queue_timeout, _FOLLOW_EVERY
        while True:
            await asyncio.sleep(min(pause, until - loop.time()))
            try:
                if loop.time() >= until:
                    await self._expire(answer)
                    return
                waits = await self.jobs.follow(answer)
                pause = _FOLLOW_EVERY if waits else self.queue_timeout
            except StoreUnavailableError:
                pause, until = _AWAY_PAUSE, max(until, loop.time() + _AWAY_PAUSE)

    async def _expire(self, answer: str) -> None:
        if await self.jobs.expire(answer):
            _LOG.warning("question waited too long", answer=answer)
