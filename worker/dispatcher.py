"""Run the jobs of scheduled tokens: claim, turn, end, and the token's next job."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from prometheus_client import Histogram
from structlog.contextvars import bind_contextvars

from telemetry import traces
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError, StoreUnavailableError, WireError
from wire.keys import own_stream
from wire.messages import Chat, Final
from wire.schedule import Schedule
from wire.sessions import ClaimedJob, ScheduleEntry, Sessions
from worker.heartbeat import Heartbeat
from worker.leases import LOST_SECONDS, LeaseTable
from worker.providers.registry import Upstream
from worker.turns.outcome import Outcome
from worker.turns.token_tally import TokenTally
from worker.turns.turn import Turn

_LOG = structlog.get_logger()
_AWAY_PAUSE = 0.5
_CLAIM_PAUSE = 0.2
# In seconds, up to the default QUEUE_TIMEOUT.
_QUEUE_WAIT_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)


def queue_wait_histogram() -> Histogram:
    """Return the histogram of how long jobs are queued before a worker claims them."""
    documentation = "Seconds from accepting a question to a worker's claiming it."
    return Histogram("bing_queue_wait_seconds", documentation, buckets=_QUEUE_WAIT_BUCKETS, registry=None)


class Dispatcher:
    """Runs the jobs of scheduled tokens, in WORKER_SLOTS slots, until `draining` is set.

    `turn_counts` counts ended turns by provider, outcome and reason, `token_tally` their tokens; `queue_wait` observes
    how long jobs were queued.
    """

    def __init__(
        self, upstream: Upstream, sessions: Sessions, schedule: Schedule, *, lost_seconds: float = LOST_SECONDS
    ) -> None:
        self.turn_counts: Counter[tuple[str, str, str]] = Counter()
        self.token_tally = TokenTally()
        self.queue_wait = queue_wait_histogram()
        self.draining = asyncio.Event()
        self._worker_id = upstream.pool.worker
        self.leases = LeaseTable(sessions, self._worker_id, lost_seconds=lost_seconds)
        self.heartbeat = Heartbeat(sessions, self._worker_id, self._abort, self._reassert, self._takes_work)
        self._upstream = upstream
        self._settings = upstream.settings
        self._sessions = sessions
        self._schedule = schedule
        self._slots = asyncio.Semaphore(self._settings.worker_slots)
        self._serving: set[asyncio.Task[None]] = set()
        self._timeouts: dict[str, asyncio.Timeout] = {}

    @property
    def slots_used(self) -> int:
        """The number of taken slots."""
        return len(self._serving)

    async def run(self) -> None:
        """Read schedule entries into free slots, until draining; entries that are read after that go back."""
        drained = asyncio.create_task(self.draining.wait())
        try:
            while not self.draining.is_set():
                if not self._takes_work():
                    # Other workers may have accounts: this one's tokens are theirs now.
                    await self.leases.release_idle()
                    await asyncio.wait({drained}, timeout=_AWAY_PAUSE)
                    continue
                free = self._settings.worker_slots - len(self._serving)
                if free <= 0:
                    await asyncio.wait({*self._serving, drained}, return_when=asyncio.FIRST_COMPLETED)
                    continue
                try:
                    for entry in await self._schedule.read(free):
                        await self._dispatch(entry)
                except StoreUnavailableError:
                    await asyncio.sleep(_AWAY_PAUSE)
        finally:
            drained.cancel()

    def _takes_work(self) -> bool:
        """Return whether there is an account."""
        return len(self._upstream.pool) > 0

    async def close(self, grace: float) -> None:
        """Wait up to DRAIN_TIMEOUT for running turns. Then cancel them, twice, with `grace` seconds to end each time.

        A cancelled job goes back to the queue if its question wasn't sent, and ends as interrupted otherwise.
        """
        if self._serving:
            _, unfinished = await asyncio.wait(self._serving, timeout=self._settings.drain_timeout)
            for _ in range(2):
                for serving in unfinished:
                    serving.cancel()
                if unfinished:
                    _, unfinished = await asyncio.wait(unfinished, timeout=grace)

    async def _dispatch(self, entry: ScheduleEntry) -> None:
        """Start serving the entry's token. Entries of the worker's own wait for a slot, shared ones go back."""
        own, has_room = entry.stream == own_stream(self._worker_id), len(self._serving) < self._settings.worker_slots
        if self.draining.is_set() or not (own or has_room):
            await self._schedule.give_back(entry)
            return
        serving = asyncio.create_task(self._serve(entry))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, entry: ScheduleEntry) -> None:
        """Run the jobs of one token, one after another, until it has none."""
        async with self._slots:
            try:
                with self.leases.claiming(entry.token):
                    first = job = await self._claim(entry)
                    while job is not None:
                        job = await self._execute(job)
                    if first is not None and isinstance(first.work, Chat):
                        # Also if draining has begun meanwhile: `release` ignores what `finish` has given back already.
                        self.leases.add_idle(first.lease)
            except TimeoutError:
                _LOG.error("gave up waiting for Redis", entry=entry.id)
            except LeaseLostError as error:
                _LOG.warning("lease lost", cause=str(error))
            except WireError as error:
                _LOG.error("turn dropped", cause=f"{type(error).__name__}: {error}")
            else:
                return
            # Redis may still count the token as this worker's.
            self.heartbeat.request_reassert()

    async def _claim(self, entry: ScheduleEntry) -> ClaimedJob | None:
        """Claim the entry's job; None if it has none.

        Waits while it isn't known whether the token's owner is alive. Raises TimeoutError after two leases.
        """
        async with asyncio.timeout(2 * self._settings.lease_ttl):
            while True:
                try:
                    claimed = await self._sessions.claim(self._worker_id, entry)
                except StoreUnavailableError:
                    claimed = "wait"
                if not isinstance(claimed, str):
                    return claimed
                if claimed == "nothing":
                    return None
                await asyncio.sleep(_CLAIM_PAUSE)

    async def _execute(self, job: ClaimedJob) -> ClaimedJob | None:
        """Run one job and write its end. Return the token's next job, if any."""
        # Bound for the rest of this task, so that the log lines of later errors have them too.
        bind_contextvars(request=job.work.request, answer=job.answer)
        traces.set_current(job.work.trace)
        traces.record_span("queue", job.waited)
        self.queue_wait.observe(job.waited)
        _LOG.info("question claimed", waited=job.waited)
        with traces.start_span("turn", "consumer", bing_request=job.work.request) as span:
            turn = Turn(self._upstream, self._sessions, job, lambda: self.heartbeat.lease_valid)
            with self.leases.running(turn):
                outcome = await self._supervise(turn)
                self.turn_counts[outcome.label] += 1
                await self._count_tokens(turn, outcome)
                following = await self._finish(turn, outcome)
                self.leases.record_end(turn)
            provider, state, reason = outcome.label
            span.set_attributes(bing_provider=provider, bing_outcome=state)
            if reason:
                span.fail(reason)
            _LOG.info("turn ended", provider=provider, outcome=state, reason=reason)
            return following

    async def _count_tokens(self, turn: Turn, outcome: Outcome) -> None:
        """Count the tokens of an answer whose server has reported them."""
        event = outcome.event
        if not isinstance(event, Final) or event.usage is None:
            return
        client = ""
        with suppress(StoreUnavailableError):
            client = await self._sessions.read_client(turn.job)
        self.token_tally.add(event.usage, account=turn.account, model=event.model, client=client)

    async def _supervise(self, turn: Turn) -> Outcome:
        """Run the turn and return its outcome, whatever breaks it off. Raises CancelledError if its job went back."""
        try:
            async with self._abortable(turn.job.answer):
                return await turn.run()
        except AnswerEndedError:
            # Expired, stopped or lost. Only the mailbox has to advance; the outcome of a sent question is unknown.
            _LOG.info("answer stopped or lost, hanging up")
            return turn.stopped_outcome()
        except (LeaseLostError, StateLostError, StoreUnavailableError) as error:
            _LOG.warning("turn broken off", cause=f"{type(error).__name__}: {error}")
            return turn.interrupted_outcome(error)
        except asyncio.CancelledError as error:
            # Draining before the question was sent: the job goes back, unless the mark was just being written.
            if await self._sessions.release(turn.job.lease):
                _LOG.info("question given back")
                raise
            return turn.interrupted_outcome(error)

    @asynccontextmanager
    async def _abortable(self, answer: str) -> AsyncIterator[None]:
        """Let `_abort` end the body, with AnswerEndedError."""
        try:
            async with asyncio.timeout(None) as timeout:
                self._timeouts[answer] = timeout
                try:
                    yield
                finally:
                    del self._timeouts[answer]
        except TimeoutError:
            raise AnswerEndedError("the answer was stopped") from None
        # A turn whose question was sent handles the cancellation itself, as it does when draining.
        if timeout.expired():
            raise AnswerEndedError("the answer was stopped")

    def _abort(self, answers: list[str]) -> None:
        """End the turns of answers that can't continue. Those that have ended or are ending are left alone."""
        for answer in answers:
            timeout = self._timeouts.get(answer)
            if timeout is not None and not timeout.expired():
                timeout.reschedule(asyncio.get_running_loop().time())

    async def _reassert(self, last_beat: float) -> None:
        """Report accounts and leases to a Redis that may have lost them since the beat at that loop time."""
        await self._upstream.pool.announce()
        self._abort(await self.leases.reassert(last_beat))

    async def _finish(self, turn: Turn, outcome: Outcome) -> ClaimedJob | None:
        """Write the turn's end and return the token's next job.

        Tries again while Redis is away (a repeat is harmless). Raises TimeoutError after the longest limit of an
        answer, and LeaseLostError.
        """
        reasserted = not turn.sent
        async with asyncio.timeout(self._upstream.pool.longest_answer(self._settings)):
            while True:
                try:
                    return await self._write_end(turn, outcome)
                except StoreUnavailableError:
                    await asyncio.sleep(_AWAY_PAUSE)
                except LeaseLostError:
                    if reasserted:
                        raise
                    # Redis may have forgotten the lease; a beat reasserts it. The question must not be asked again.
                    reasserted = await self._beat()

    async def _write_end(self, turn: Turn, outcome: Outcome) -> ClaimedJob | None:
        job = turn.job
        return await self._sessions.finish(
            job,
            outcome.state,
            outcome.event,
            outcome.session,
            # The token of an image request, or of a call, has no second turn.
            takes_more=isinstance(job.work, Chat) and not self.draining.is_set(),
            forget=not isinstance(job.work, Chat),
            sent=outcome.sent,
            seq=turn.seq,
            exchange=outcome.transcript(job.work),
            begins=outcome.starts_transcript,
            spent=turn.sent,
        )

    async def _beat(self) -> bool:
        """Beat once and return whether Redis got it; pause if it is away."""
        try:
            await self.heartbeat.beat()
        except StoreUnavailableError:
            await asyncio.sleep(_AWAY_PAUSE)
            return False
        return True
