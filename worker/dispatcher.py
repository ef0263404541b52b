"""Take turns into free places and run them: the work, the turn, its end."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog
from prometheus_client import Histogram
from structlog.contextvars import bind_contextvars

from telemetry import traces
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError, StoreUnavailableError, WireError
from wire.messages import Chat, Final
from wire.redis.retry import retry_unavailable
from wire.sessions import ClaimedJob, HeartbeatReply, Sessions, TurnEnd
from worker.heartbeat import Heartbeat
from worker.leases import LeaseTable
from worker.providers.registry import Upstream
from worker.turns.outcome import Outcome
from worker.turns.recent_events import LOST_SECONDS
from worker.turns.token_tally import TokenTally
from worker.turns.turn import Turn

_LOG = structlog.get_logger()
_AWAY_PAUSE = 0.5
# In seconds, up to the default QUEUE_TIMEOUT.
_QUEUE_WAIT_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)


def queue_wait_histogram() -> Histogram:
    """Return the histogram of how long jobs are queued before a worker takes them."""
    documentation = "Seconds from accepting a question to a worker's taking it."
    return Histogram("bing_queue_wait_seconds", documentation, buckets=_QUEUE_WAIT_BUCKETS, registry=None)


class Dispatcher:
    """Takes turns, up to WORKER_SLOTS at once, and runs them, until `draining` is set.

    `turn_counts` counts ended turns by provider, outcome and reason, `token_tally` their tokens; `queue_wait` observes
    how long jobs were queued.
    """

    def __init__(self, upstream: Upstream, sessions: Sessions, *, lost_seconds: float = LOST_SECONDS) -> None:
        self.turn_counts: Counter[tuple[str, str, str]] = Counter()
        self.token_tally = TokenTally()
        self.queue_wait = queue_wait_histogram()
        self.draining = asyncio.Event()
        self._worker_id = upstream.pool.worker
        self.leases = LeaseTable(sessions, self._worker_id, lost_seconds=lost_seconds)
        self.heartbeat = Heartbeat(
            sessions, self._worker_id, self._heed, self._reassert, self._takes_work, self._count_free
        )
        self._upstream = upstream
        self._settings = upstream.settings
        self._sessions = sessions
        self._serving: set[asyncio.Task[None]] = set()
        # The turns of each client, and its weight.
        self._running: Counter[tuple[str, int]] = Counter()
        self._look = asyncio.Event()
        # Whether turns waited when one ended last.
        self._more = False
        # Whether it was to take turns while it had no room: the bell may be heard before the end that made some.
        self._missed = False
        # The numbers of the last call that took turns, and of the last reply to one.
        self._number = self._seen = 0
        self._timeouts: dict[str, asyncio.Timeout] = {}
        upstream.pool.on_room = self.look

    @property
    def slots_used(self) -> int:
        """The number of taken slots."""
        return len(self._serving)

    def look(self) -> None:
        """Take turns soon, if there is room for any."""
        self._look.set()

    def drain(self) -> None:
        """Take no more turns."""
        self.draining.set()
        self.look()

    async def run(self) -> None:
        """Take turns into free slots, until draining; those that arrive after that go back."""
        again: float | None = 0.0
        while not self.draining.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(again):
                    await self._look.wait()
            self._look.clear()
            if self._takes_work():
                again = await self._take()
            else:
                # Other workers may have accounts: this one's tokens are theirs now.
                await self.leases.release_idle()
                again = _AWAY_PAUSE

    def _takes_work(self) -> bool:
        """Return whether there is an account."""
        return len(self._upstream.pool) > 0

    def _count_free(self, ending: int = 0) -> int:
        """Return how many more turns can be taken now; `ending` turns are about to leave their slots."""
        if self.draining.is_set() or not self._takes_work():
            return 0
        slots = self._settings.worker_slots - len(self._serving) + ending
        return max(0, int(min(slots, self._upstream.pool.room)))

    def _count_running(self) -> dict[str, float]:
        """Return the turns of each client over its weight, which may have changed since."""
        running: defaultdict[str, float] = defaultdict(float)
        for (client, weight), turns in self._running.items():
            running[client] += turns / weight
        return running

    async def _take(self) -> float | None:
        """Take turns and begin to serve them. Return in how many seconds to take again, None when something changes."""
        free = self._count_free()
        self._missed = not free
        if self._missed:
            if len(self._serving) < self._settings.worker_slots:
                self._upstream.pool.want_room()
            return None
        self._number += 1
        async with self.leases.taking:
            try:
                turns = await self._sessions.take(
                    self._worker_id, self._number, self._seen, free, self._count_running()
                )
            except StoreUnavailableError:
                return _AWAY_PAUSE
            self._seen = turns.number
            for job, short in turns.jobs:
                self._begin(job, short)
        # They look for accounts now, which is counted as room that is taken.
        await asyncio.sleep(0)
        return turns.again

    def _begin(self, job: ClaimedJob, short: bytes) -> None:
        """Serve a turn in a task of its own. From here on its token counts as this worker's."""
        self.leases.add_served(job.lease.token)
        self._running[job.client, job.weight] += 1
        serving = asyncio.create_task(self._serve(job, short))
        self._serving.add(serving)
        serving.add_done_callback(partial(self._end, job))

    def _end(self, job: ClaimedJob, serving: asyncio.Task[None]) -> None:
        self._serving.discard(serving)
        self.leases.remove_served(job.lease.token)
        counted = job.client, job.weight
        self._running[counted] -= 1
        if not self._running[counted]:
            del self._running[counted]
        if self._more or self._missed:
            self.look()

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

    async def _serve(self, job: ClaimedJob, short: bytes) -> None:
        """Run one turn."""
        try:
            if self.draining.is_set():
                await self._sessions.release(job.lease)
                return
            until = asyncio.get_running_loop().time() + 2 * self._settings.lease_ttl
            read = await retry_unavailable(lambda: self._sessions.read_work(job, short), until)
            if read is None:
                return
            await self._execute(read)
            if isinstance(read.work, Chat):
                # Also if draining has begun meanwhile: `release` ignores what `finish` has given back already.
                self.leases.add_idle(job.lease)
        except TimeoutError:
            _LOG.error("gave up waiting for Redis", answer=job.answer)
        except LeaseLostError as error:
            _LOG.warning("lease lost", cause=str(error))
        except WireError as error:
            _LOG.error("turn dropped", cause=f"{type(error).__name__}: {error}")
        else:
            return
        # Redis may still count the token as this worker's.
        self.heartbeat.request_reassert()

    async def _execute(self, job: ClaimedJob) -> None:
        """Run one job and write its end."""
        # Bound for the rest of this task, so that the log lines of later errors have them too.
        bind_contextvars(request=job.work.request, answer=job.answer)
        traces.set_current(job.work.trace)
        traces.record_span("queue", job.waited)
        self.queue_wait.observe(job.waited)
        with traces.start_span("turn", "consumer", bing_request=job.work.request) as span:
            heartbeat = self.heartbeat
            turn = Turn(self._upstream, self._sessions, job, lambda: heartbeat.lease_valid, heartbeat.report)
            with self.leases.running(turn):
                outcome = await self._supervise(turn)
                try:
                    outcome = await self._end_turn(turn, outcome)
                finally:
                    self.turn_counts[outcome.label] += 1
                    self._count_tokens(turn, outcome)
            provider, state, reason = outcome.label
            span.set_attributes(bing_provider=provider, bing_outcome=state)
            if reason:
                span.fail(reason)
            _LOG.info("turn ended", provider=provider, outcome=state, reason=reason)

    async def _end_turn(self, turn: Turn, outcome: Outcome) -> Outcome:
        """Write the turn's end, and return it: another one where Redis has lost what is ahead of it."""
        try:
            end = await self._finish(turn, outcome)
        except StateLostError as error:
            _LOG.warning("turn broken off", cause=f"{type(error).__name__}: {error}")
            outcome = turn.interrupted_outcome(error)
            end = await self._finish(turn, outcome)
        self.leases.record_end(turn, end)
        return outcome

    def _count_tokens(self, turn: Turn, outcome: Outcome) -> None:
        """Count the tokens of an answer whose server has reported them."""
        event = outcome.event
        if isinstance(event, Final) and event.usage is not None:
            self.token_tally.add(event.usage, account=turn.account, model=event.model, client=turn.job.asker)

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

    def _heed(self, beat: HeartbeatReply) -> None:
        """End the turns that were stopped, and take some if any wait."""
        self.leases.forget_ended(self.heartbeat.age)
        self._abort(beat.stopped_answers)
        if beat.waiting:
            self.look()

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

    async def _finish(self, turn: Turn, outcome: Outcome) -> TurnEnd:
        """Write the turn's end, and return it.

        Tries again while Redis is away (a repeat is harmless). Raises TimeoutError after the longest limit of an
        answer, LeaseLostError, and StateLostError where events ahead of the end are lost: nothing was written then.
        """
        end, reported = self._encode_end(turn, outcome), not turn.sent
        async with asyncio.timeout(self._upstream.pool.longest_answer(self._settings)):
            while True:
                try:
                    self._more = await self._sessions.write_end(end, partial(self._count_free, ending=1))
                except StoreUnavailableError:
                    await asyncio.sleep(_AWAY_PAUSE)
                except (LeaseLostError, StateLostError):
                    if reported:
                        raise
                    # Redis may have forgotten the lease, or events. The question must not be asked again.
                    await self.heartbeat.report()
                    reported = True
                    if turn.lost:
                        raise
                else:
                    return end

    def _encode_end(self, turn: Turn, outcome: Outcome) -> TurnEnd:
        job = turn.job
        return self._sessions.encode_end(
            job,
            outcome.state,
            outcome.event,
            outcome.session,
            # The token of an image request, or of a call, has no second turn.
            keeps=isinstance(job.work, Chat) and not self.draining.is_set(),
            forget=not isinstance(job.work, Chat),
            sent=outcome.sent,
            seq=turn.seq,
            exchange=outcome.transcript(job.work),
            begins=outcome.starts_transcript,
            spent=turn.sent,
            rest=outcome.rest,
        )
