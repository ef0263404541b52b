"""The worker: takes tokens that have work, runs their turns in its slots, gives them back."""

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from prometheus_client import Histogram
from structlog.contextvars import bind_contextvars

from telemetry import traces
from telemetry.traces import Span
from wire.audit_log import AuditLog
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError, StoreUnavailableError, WireError
from wire.keys import own_stream
from wire.ledger import AccountStatus, Ledger
from wire.messages import Chat, Image
from wire.redis.store import Store
from wire.reporter import REPORT_INTERVAL, Reporter
from wire.schedule import BLOCK, Schedule
from wire.sessions import ClaimedJob, ScheduleEntry, Sessions
from worker.accounts.alerts import AlertSender
from worker.accounts.remote_import import RemoteImporter
from worker.heartbeat import Heartbeat
from worker.leases import LeaseTable
from worker.providers.registry import Upstream
from worker.reaper import Reaper
from worker.settings import WorkerSettings
from worker.status import status_reporter
from worker.turns.turn import Outcome, Turn

_LOG = structlog.get_logger()
_AWAY_PAUSE = 0.5
_WAIT_PAUSE = 0.2
# Seconds for the read that was begun before draining: it may bring entries, which then go back.
_LAST_READ = 2.0
# In seconds, up to the default QUEUE_TIMEOUT.
_QUEUE_WAIT = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
# Seconds for turns that were cut short to write their ends.
LAST_WORDS = 5.0


def new_worker_id() -> str:
    """The host's name, for people, and a random part that no earlier process had."""
    return f"{socket.gethostname()}-{secrets.token_hex(4)}"


def queue_wait_histogram() -> Histogram:
    """How long questions wait for a worker."""
    told = "Seconds from a question's being accepted to a worker's taking it."
    return Histogram("bing_queue_wait_seconds", told, buckets=_QUEUE_WAIT, registry=None)


class Worker:
    """One worker process. `run` serves until `drain` is called, then ends.

    `ended` counts its turns, by who was asked, how they ended and why; `waited` is how long they were queued before.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        store: Store,
        upstream: Upstream,
        *,
        block: float = BLOCK,
        report_interval: float = REPORT_INTERVAL,
        last_words: float = LAST_WORDS,
    ) -> None:
        self.id = upstream.pool.worker
        self.turn_counts: Counter[tuple[str, str, str]] = Counter()
        self.queue_wait = queue_wait_histogram()
        self._settings = settings
        self._upstream = upstream
        self._store = store
        self._ledger = Ledger(store)
        self._sessions = Sessions(store, settings, settings.lease_ttl)
        self._schedule = Schedule(store, self.id, settings.lease_ttl, block=block)
        self._leases = LeaseTable(self._sessions, self.id)
        self._heartbeat = Heartbeat(self._sessions, self.id, self._hang_up, self._reassert)
        self._slots = asyncio.Semaphore(settings.worker_slots)
        self._serving: set[asyncio.Task[None]] = set()
        self._running: dict[str, asyncio.Timeout] = {}
        self._draining = asyncio.Event()
        self._report_interval = report_interval
        self._last_words = last_words

    @property
    def slots(self) -> int:
        """How many questions may be out at once."""
        return self._settings.worker_slots

    @property
    def slots_used(self) -> int:
        """How many slots are taken."""
        return len(self._serving)

    @property
    def lease_count(self) -> int:
        """How many tokens are held, with a turn or without."""
        return self._leases.count

    @property
    def account_statuses(self) -> list[AccountStatus]:
        """How its accounts stand, as last seen."""
        return self._upstream.pool.own_statuses

    @property
    def running_jobs(self) -> list[ClaimedJob]:
        """The jobs whose turns run."""
        return self._leases.running_jobs

    @property
    def draining(self) -> bool:
        """Whether it takes no more jobs."""
        return self._draining.is_set()

    @property
    def heartbeat_age(self) -> float:
        """Seconds since the last heartbeat that Redis took."""
        return self._heartbeat.age

    def drain(self) -> None:
        """Take no more jobs; `run` returns when the running turns have ended, or DRAIN_TIMEOUT is over."""
        self._draining.set()

    async def run(self) -> None:
        """Serve. A background task that dies takes the worker down with it."""
        async with self._schedule, asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self._heartbeat.run())]
            await self._prepare()
            speaker = status_reporter(self, self._store, self._report_interval)
            _LOG.info("worker ready", worker=self.id, accounts=len(self._upstream.pool))
            background += [tasks.create_task(work) for work in (*self._beside(), speaker.run())]
            reading = tasks.create_task(self._read())
            await self._draining.wait()
            await asyncio.wait([reading], timeout=_LAST_READ)
            reading.cancel()
            await self._finish_turns()
            await self._upstream.pool.close(self._last_words)
            await self._leave(speaker)
            for task in background:
                task.cancel()
        _LOG.info("worker stopped", worker=self.id)

    def _beside(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What goes on for ever beside the turns."""
        pool, settings = self._upstream.pool, self._settings
        yield self._release_idle()
        yield pool.run()
        yield Reaper(self._sessions, pool).run()
        yield RemoteImporter(settings.cookies_dir, self._ledger, AuditLog(self._store)).run()
        if settings.alert_webhook is not None:
            yield AlertSender(str(settings.alert_webhook), settings.alert_share, self._ledger).run()

    async def _prepare(self) -> None:
        while not self._draining.is_set():
            try:
                await self._schedule.prepare()
                await self._upstream.pool.announce()
                await self._heartbeat.beat()
            except StoreUnavailableError:
                await asyncio.sleep(_AWAY_PAUSE)
            else:
                return

    async def _read(self) -> None:
        """Hand entries to free slots, until draining. What comes after that goes back."""
        drained = asyncio.create_task(self._draining.wait())
        try:
            while not self._draining.is_set():
                if not len(self._upstream.pool):
                    # Others may have accounts: what comes now is theirs.
                    await asyncio.gather(*map(self._leases.release, self._leases.idle_for(0)))
                    await asyncio.wait({drained}, timeout=_AWAY_PAUSE)
                    continue
                free = self._settings.worker_slots - len(self._serving)
                if free <= 0:
                    await asyncio.wait({*self._serving, drained}, return_when=asyncio.FIRST_COMPLETED)
                    continue
                try:
                    for entry in await self._schedule.read(free):
                        await self._take(entry)
                except StoreUnavailableError:
                    await asyncio.sleep(_AWAY_PAUSE)
        finally:
            drained.cancel()

    async def _take(self, entry: ScheduleEntry) -> None:
        """Own entries wait for a slot; shared ones that find none go back at once."""
        own, room = entry.stream == own_stream(self.id), len(self._serving) < self._settings.worker_slots
        if not self._draining.is_set() and (own or room):
            self._start(entry)
        else:
            await self._schedule.give_back(entry)

    def _start(self, entry: ScheduleEntry) -> None:
        serving = asyncio.create_task(self._serve(entry))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, entry: ScheduleEntry) -> None:
        """One token's turns, for as long as it has work."""
        async with self._slots:
            try:
                with self._leases.claiming(entry.token):
                    await self._turns(entry)
            except TimeoutError:
                _LOG.error("gave up waiting for Redis", entry=entry.id)
            except LeaseLostError as error:
                _LOG.warning("lease lost", cause=str(error))
            except WireError as error:
                _LOG.error("turn dropped", cause=f"{type(error).__name__}: {error}")
            else:
                return
            # Redis may still hold for this worker what has ended so.
            self._heartbeat.request_reassert()

    async def _turns(self, entry: ScheduleEntry) -> None:
        task = following = await self._claim(entry)
        while following is not None:
            following = await self._turn(following)
        if task is not None and isinstance(task.work, Chat):
            # Also when draining has begun meanwhile: what finish has given back already, release leaves alone.
            self._leases.add_idle(task.lease)

    def _keeps(self, task: ClaimedJob) -> bool:
        """Whether the token stays with this worker after a turn. An image request's token has no second turn."""
        return isinstance(task.work, Chat) and not self._draining.is_set()

    async def _claim(self, entry: ScheduleEntry) -> ClaimedJob | None:
        """The entry's task, or None; waits while the fate of the token's owner isn't known, within two leases."""
        async with asyncio.timeout(2 * self._settings.lease_ttl):
            while True:
                try:
                    claimed = await self._sessions.claim(self.id, entry)
                except StoreUnavailableError:
                    claimed = "wait"
                if not isinstance(claimed, str):
                    return claimed
                if claimed == "nothing":
                    return None
                await asyncio.sleep(_WAIT_PAUSE)

    async def _turn(self, task: ClaimedJob) -> ClaimedJob | None:
        """Run one job and end it; the token's next one, if it has any."""
        # For this task from now on, so that what it says of an error has them too.
        bind_contextvars(request=task.work.request, answer=task.answer)
        traces.set_current(task.work.trace)
        traces.record_span("queue", task.waited)
        self.queue_wait.observe(task.waited)
        _LOG.info("question claimed", waited=task.waited)
        with traces.start_span("turn", "consumer", bing_request=task.work.request) as span:
            return await self._turn_to_end(task, span)

    async def _turn_to_end(self, task: ClaimedJob, span: Span) -> ClaimedJob | None:
        turn = Turn(self._upstream, self._sessions, task, lambda: self._heartbeat.lease_valid)
        with self._leases.running(turn):
            outcome = await self._run_to_end(turn)
            self.turn_counts[outcome.label] += 1
            following = await self._finish(turn, outcome)
            self._leases.record_end(turn)
        provider, state, reason = outcome.label
        span.set_attributes(bing_provider=provider, bing_outcome=state)
        if reason:
            span.fail(reason)
        _LOG.info("turn ended", provider=provider, outcome=state, reason=reason)
        return following

    async def _run_to_end(self, turn: Turn) -> Outcome:
        """How the turn ended, whatever broke it off."""
        try:
            async with self._stoppable(turn.job.answer):
                return await turn.run()
        except AnswerEndedError:
            # Expired, stopped or lost: it only remains to advance the mailbox. What was sent has no known outcome.
            _LOG.info("answer stopped or lost, hanging up")
            return turn.stopped_outcome()
        except (LeaseLostError, StateLostError, StoreUnavailableError) as error:
            _LOG.warning("turn broken off", cause=f"{type(error).__name__}: {error}")
            return turn.interrupted_outcome(error)
        except asyncio.CancelledError as error:
            # Draining, and nothing was sent: the job goes back, unless the mark was being written just now.
            if await self._sessions.release(turn.job.lease):
                _LOG.info("question given back")
                raise
            return turn.interrupted_outcome(error)

    @asynccontextmanager
    async def _stoppable(self, answer: str) -> AsyncIterator[None]:
        """Breaks the body off with AnswerEndedError when the answer is stopped."""
        try:
            async with asyncio.timeout(None) as running:
                self._running[answer] = running
                try:
                    yield
                finally:
                    del self._running[answer]
        except TimeoutError:
            raise AnswerEndedError("the answer was stopped") from None
        # A turn whose question is out takes the breaking off for its own end, as in a drain.
        if running.expired():
            raise AnswerEndedError("the answer was stopped")

    def _hang_up(self, answers: list[str]) -> None:
        """End the turns of answers that can't go on; those that are over or ending already are left alone."""
        for answer in answers:
            running = self._running.get(answer)
            if running is not None and not running.expired():
                running.reschedule(asyncio.get_running_loop().time())

    async def _reassert(self, heard: float) -> None:
        await self._upstream.pool.announce()
        self._hang_up(await self._leases.reassert(heard))

    async def _finish(self, turn: Turn, outcome: Outcome) -> ClaimedJob | None:
        """Write the end. While Redis is away it is tried again (a repeat is harmless), within ANSWER_TIMEOUT."""
        asserted = not turn.sent
        async with asyncio.timeout(self._settings.answer_timeout):
            while True:
                try:
                    return await self._finish_once(turn, outcome)
                except StoreUnavailableError:
                    await asyncio.sleep(_AWAY_PAUSE)
                except LeaseLostError:
                    if asserted:
                        raise
                    # Redis may have lost the lease; with a beat it is told. The question must not be asked again.
                    asserted = await self._beaten()

    async def _finish_once(self, turn: Turn, outcome: Outcome) -> ClaimedJob | None:
        task = turn.job
        return await self._sessions.finish(
            task,
            outcome.state,
            outcome.event,
            outcome.session,
            takes_more=self._keeps(task),
            forget=isinstance(task.work, Image),
            sent=outcome.sent,
            seq=turn.seq,
            said=turn.transcript_messages(outcome),
            begins=outcome.starts_transcript,
            spent=turn.sent,
        )

    async def _beaten(self) -> bool:
        try:
            await self._heartbeat.beat()
        except StoreUnavailableError:
            await asyncio.sleep(_AWAY_PAUSE)
            return False
        return True

    async def _release_idle(self) -> None:
        """Give tokens back that had no work for IDLE_RELEASE."""
        while True:
            await asyncio.sleep(min(1.0, self._settings.idle_release / 4))
            for token in self._leases.idle_for(self._settings.idle_release):
                await self._leases.release(token)

    async def _finish_turns(self) -> None:
        """Let running turns end within DRAIN_TIMEOUT; what is left then goes back or ends as interrupted."""
        if self._serving:
            _, left = await asyncio.wait(self._serving, timeout=self._settings.drain_timeout)
            for _ in range(2):
                for serving in left:
                    serving.cancel()
                if left:
                    _, left = await asyncio.wait(left, timeout=self._last_words)

    async def _leave(self, speaker: Reporter) -> None:
        try:
            async with asyncio.timeout(self._last_words):
                await asyncio.gather(*map(self._leases.release, self._leases.idle_for(0)))
                await self._upstream.pool.vacate(self.id)
                await self._sessions.leave(self.id)
                await speaker.leave()
        except (StoreUnavailableError, TimeoutError) as error:
            _LOG.warning("could not sign off, the lease runs out by itself", cause=str(error))
