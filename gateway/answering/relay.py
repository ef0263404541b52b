"""Follow answers: their events, while a keep-alive renews a client's interest in each."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from prometheus_client import Histogram

from gateway.answering.abandonment import Abandonment
from gateway.answering.drain import ActiveRequests
from gateway.answering.followers import Followers
from gateway.answering.keepalive import QueueKeepAlive, WaitingJob
from gateway.answering.presence import WorkerPresence
from gateway.answering.timings import TIMINGS, Timings
from gateway.errors import NoWorkerError
from wire.answer_reader import AnswerEvent, AnswerReader
from wire.answers import Answers
from wire.errors import AnswerLostError
from wire.jobs import Client, IdempotencyKey, Jobs
from wire.messages import Event, Failed, Final, Work, apply_event
from wire.reasons import Reason


@dataclass(frozen=True)
class Relay:
    """Follows answers. Times are in seconds; `first_text` observes the time from submission to the first text."""

    jobs: Jobs
    answers: Answers
    active_requests: ActiveRequests
    queue_timeout: float
    answer_timeout: float
    first_text: Histogram
    timings: Timings = TIMINGS
    presence: WorkerPresence | None = None
    abandonment: Abandonment | None = None
    _keep_alive: QueueKeepAlive = field(init=False)
    _followers: Followers = field(init=False)

    def __post_init__(self) -> None:
        keep_alive = QueueKeepAlive(
            self.jobs,
            self.queue_timeout,
            self.presence,
            renew_every=self.timings.renew_every,
            away_pause=self.timings.away_pause,
        )
        object.__setattr__(self, "_keep_alive", keep_alive)
        object.__setattr__(self, "_followers", Followers(self.jobs.client_limit))

    @property
    def longest_wait(self) -> float:
        """The time that a job may wait in the queue, by any process's clock."""
        return self.queue_timeout + self.timings.answer_margin

    @property
    def time_limit(self) -> float:
        """The time that a request may take in all."""
        return self.queue_timeout + self.answer_timeout + self.timings.answer_margin

    async def submit(
        self,
        answer: str,
        work: Work,
        token: str,
        *,
        create: bool,
        client: Client,
        once: IdempotencyKey | None = None,
        after: str = "",
        attempt: str = "",
    ) -> str:
        """Submit a job as Jobs.submit does, or raise NoWorkerError; what a key was used for before needs no worker."""
        absent = self.presence is not None and await self.presence.is_absent()
        if absent and not (once and await self.jobs.is_known(once)):
            self.jobs.refusals[Reason.WORKER_NONE] += 1
            raise NoWorkerError
        return await self.jobs.submit(
            answer, work, token, create=create, client=client, once=once, after=after, attempt=attempt
        )

    def subscribe(
        self,
        answer: str,
        client: Client,
        after: int = 0,
        *,
        new: bool = False,
        submit: Callable[[], Awaitable[str]] | None = None,
    ) -> "AnswerSubscription":
        """Return a client's subscription to an answer's events behind `after`.

        Entering it raises ClientFullError, before it submits, if the client follows as many as it may.

        `new`: the question is submitted now, so the time to its first text is measured. `submit` is called once the
        subscription is being made.
        """
        reader = self.answers.follow(answer, after, self._timer() if new else None, early=submit is not None)
        return AnswerSubscription(
            self._keep_alive, self._followers, client, answer, reader, self.answers.follow, submit
        )

    async def read_end(self, events: AsyncIterator[AnswerEvent]) -> Final | Failed:
        """Return the terminal event. Raises AnswerLostError when the events stop without one."""
        async for entry in events:
            if isinstance(entry.event, Final | Failed):
                return entry.event
        raise AnswerLostError

    def on_hang_up(self, answer: str) -> Callable[[], None] | None:
        """Return what to call when a client leaves that can't come back for its answer."""
        return None if self.abandonment is None else partial(self.abandonment.begin, answer)

    def _timer(self) -> Callable[[Event], None]:
        """Return a callback for the first event that observes how long it took, if it brought text."""
        began = monotonic()

        def observe(event: Event) -> None:
            if apply_event("", event):
                self.first_text.observe(monotonic() - began)

        return observe


class AnswerSubscription:
    """A context manager that follows an answer and keeps it alive; its value is the reader of the answer's events."""

    __slots__ = ("_client", "_follow", "_followers", "_job", "_keep_alive", "_reader", "_submit")

    def __init__(
        self,
        keep_alive: QueueKeepAlive,
        followers: Followers,
        client: Client,
        answer: str,
        reader: AnswerReader,
        follow: Callable[[str], AnswerReader],
        submit: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._keep_alive = keep_alive
        self._followers = followers
        self._client = client
        self._job = WaitingJob(answer)
        self._reader = reader
        self._follow = follow
        self._submit = submit

    async def __aenter__(self) -> AnswerReader:
        self._followers.enter(self._client)
        try:
            return await self._enter()
        except BaseException:
            self._followers.leave(self._client)
            raise

    async def _enter(self) -> AnswerReader:
        # Following begins first, so that subscribing and queueing overlap.
        events = await self._reader.__aenter__()
        if self._submit is not None:
            try:
                submitted = await self._submit()
            except BaseException:
                await self._reader.__aexit__()
                raise
            self._submit = None
            if submitted != self._job.answer:
                # The same request reached another gateway before, whose answer this is.
                await self._reader.__aexit__()
                self._job, self._reader = WaitingJob(submitted), self._follow(submitted)
                events = await self._reader.__aenter__()
        self._keep_alive.add(self._job)
        return events

    async def __aexit__(self, *_: object) -> None:
        self._followers.leave(self._client)
        self._keep_alive.remove(self._job)
        await self._reader.__aexit__()
