"""Relays answers: hands a question over, and turns the answer's events into the frames of the old protocol."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from time import monotonic

from prometheus_client import Histogram

from gateway.answering.drain import ActiveRequests
from gateway.answering.keepalive import QueueKeepAlive, WaitingJob
from gateway.errors import Problem
from gateway.legacy import envelope
from gateway.ops.metrics import first_text
from wire.answers import AnswerEvent, AnswerReader, Answers
from wire.errors import AnswerGoneError
from wire.jobs import ANYBODY, Client, Jobs
from wire.messages import Delta, Event, Failed, Final, Replace, Work, apply_event

# Beyond the limits that others watch over, so that theirs end an answer first.
_MARGIN = 5.0


class Frames:
    """The frames of one streamed answer. The joined deltas always end with the whole answer.

    `token` is None for a client that never saw one.
    """

    __slots__ = ("_deltas", "_digest", "_ended", "_length", "_token")

    def __init__(self, token: str | None) -> None:
        self._token = token
        self._deltas = envelope.DeltaFrames(token)
        # Of the text so far: its pieces would be the most that an open stream keeps.
        self._digest = blake2b()
        self._length = 0
        self._ended = False

    def of(self, event: Event) -> list[bytes]:
        """The frames that `event` makes; the last one of a terminal event is the terminal frame."""
        match event:
            case Delta(text=text):
                self._note(text)
                return self._delta(text)
            case Replace(text=text):
                self._digest, self._length = blake2b(), 0
                self._note(text)
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

    def _note(self, text: str) -> None:
        self._digest.update(_bytes(text))
        self._length += len(text)

    def _missing(self, text: str) -> str:
        """What a client that has the deltas lacks of the whole answer: its rest, or all of it if it was replaced."""
        told = blake2b(_bytes(text[: self._length])).digest() == self._digest.digest()
        return text[self._length :] if told else text

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
    turns: ActiveRequests
    queue_timeout: float
    answer_timeout: float
    first_text: Histogram = field(default_factory=first_text)
    _attendance: QueueKeepAlive = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_attendance", QueueKeepAlive(self.jobs, self.queue_timeout))

    @property
    def limit(self) -> float:
        """How long a turn may take in all."""
        return self.queue_timeout + self.answer_timeout + _MARGIN

    def ask(
        self, answer: str, work: Work, token: str, *, create: bool, client: Client = ANYBODY
    ) -> "AnswerSubscription":
        """Hand `work` over and follow its answer.

        TokenUnknownError, QueueFullError, ClientFullError, StoreUnavailableError.
        """
        submit = partial(self.jobs.submit, answer, work, token, create=create, client=client)
        return AnswerSubscription(self._attendance, answer, self.answers.follow(answer, first=self._timer()), submit)

    def resume(self, answer: str, after: int = 0, *, new: bool = False) -> "AnswerSubscription":
        """Follow an answer that was asked for before, from behind its event `after`; `new` if that was just now."""
        following = self.answers.follow(answer, after, self._timer() if new else None)
        return AnswerSubscription(self._attendance, answer, following)

    async def whole(self, entries: AsyncIterator[AnswerEvent]) -> Final | Failed:
        """The terminal event. AnswerGoneError when the events stop without one."""
        async for entry in entries:
            if isinstance(entry.event, Final | Failed):
                return entry.event
        raise AnswerGoneError("the answer's events stopped")

    def _timer(self) -> Callable[[Event], None]:
        """To be told the first event: how long it took, if it brought text."""
        began = monotonic()

        def first(event: Event) -> None:
            if apply_event("", event):
                self.first_text.observe(monotonic() - began)

        return first


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class AnswerSubscription:
    """An answer that is followed, and attended: a context manager, in which its events come from."""

    __slots__ = ("_attendance", "_attended", "_following", "_submit")

    def __init__(
        self,
        attendance: QueueKeepAlive,
        answer: str,
        following: AnswerReader,
        submit: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._attendance = attendance
        self._attended = WaitingJob(answer)
        self._following = following
        self._submit = submit

    async def __aenter__(self) -> AnswerReader:
        # Following begins first, so that subscribing and queueing overlap.
        entries = await self._following.__aenter__()
        if self._submit is not None:
            try:
                await self._submit()
            except BaseException:
                await self._following.__aexit__()
                raise
            self._submit = None
        self._attendance.begin(self._attended)
        return entries

    async def __aexit__(self, *_: object) -> None:
        self._attendance.end(self._attended)
        await self._following.__aexit__()
