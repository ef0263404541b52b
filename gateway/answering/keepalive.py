"""Keep the queued jobs of this process alive while their clients wait, and expire those that wait too long."""

import asyncio
import contextvars

import structlog

from gateway.answering.presence import WorkerPresence
from gateway.answering.timings import TIMINGS
from wire.errors import StoreUnavailableError
from wire.jobs import Jobs
from wire.reasons import Reason

# How many jobs are renewed at the same time.
_BATCH = 50
_LOG = structlog.get_logger()


class WaitingJob:
    """An answer that a client waits for: renewed at the loop time `due`, expired from `expires` on."""

    __slots__ = ("answer", "due", "expires")

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.due = 0.0
        self.expires = 0.0


class QueueKeepAlive:
    """Renews the interest in all waiting jobs of a process: by one timer while there are any, and a task once due.

    One task per answer would dominate the memory of an open stream, and most wait for too short a time to need any. A
    job may wait for `queue_timeout` seconds; one that runs by then is left alone. A job's interest is renewed every
    `renew_every` seconds, and `away_pause` seconds after Redis was unavailable. Where the workers' `presence` is known,
    no job waits while they are absent.
    """

    def __init__(
        self,
        jobs: Jobs,
        queue_timeout: float,
        presence: WorkerPresence | None = None,
        *,
        renew_every: float = TIMINGS.renew_every,
        away_pause: float = TIMINGS.away_pause,
    ) -> None:
        self._jobs = jobs
        self._queue_timeout = queue_timeout
        self._presence = presence
        self._renew_every = renew_every
        self._away_pause = away_pause
        self._interval = min(away_pause, renew_every, queue_timeout)
        self._waiting: set[WaitingJob] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, job: WaitingJob) -> None:
        """Keep `job` alive from now on."""
        now = asyncio.get_running_loop().time()
        job.expires = now + self._queue_timeout
        job.due = min(now + self._renew_every, job.expires)
        self._waiting.add(job)
        self._schedule()

    def remove(self, job: WaitingJob) -> None:
        """Stop keeping `job` alive. Nothing is scheduled after the last one."""
        self._waiting.discard(job)
        if self._waiting:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _schedule(self) -> None:
        """Look after the jobs once the interval is over, unless that is due already."""
        if self._timer is None and self._task is None:
            # It serves many requests, so it logs without the context of the one that starts it.
            loop, context = asyncio.get_running_loop(), contextvars.Context()
            self._timer = loop.call_later(self._interval, self._begin, context=context)

    def _begin(self) -> None:
        self._timer, self._task = None, asyncio.create_task(self._look_after())

    async def _look_after(self) -> None:
        try:
            if self._presence is not None and await self._presence.is_absent():
                await self._expire_all()
            now = asyncio.get_running_loop().time()
            due = [job for job in self._waiting if job.due <= now]
            for first in range(0, len(due), _BATCH):
                await asyncio.gather(*map(self._update, due[first : first + _BATCH]))
        finally:
            if self._task is asyncio.current_task():
                self._task = None
                if self._waiting:
                    self._schedule()

    async def _expire_all(self) -> None:
        """End all jobs that wait: no worker will take them."""
        waiting = list(self._waiting)
        for first in range(0, len(waiting), _BATCH):
            ending = [self._jobs.expire(job.answer, Reason.WORKER_NONE) for job in waiting[first : first + _BATCH]]
            for job, ended in zip(waiting[first:], await asyncio.gather(*ending, return_exceptions=True), strict=False):
                if ended is True:
                    _LOG.warning("question waited for a worker in vain", answer=job.answer)
                    self._waiting.discard(job)

    async def _update(self, job: WaitingJob) -> None:
        try:
            await self._renew_or_expire(job)
        except StoreUnavailableError:
            job.due = asyncio.get_running_loop().time() + self._away_pause
            job.expires = max(job.expires, job.due)
        except Exception as error:  # noqa: BLE001 - one job's error must not end the others'
            self._waiting.discard(job)
            _LOG.error("queued job no longer kept alive", answer=job.answer, exc_info=error)

    async def _renew_or_expire(self, job: WaitingJob) -> None:
        if asyncio.get_running_loop().time() >= job.expires:
            if await self._jobs.expire(job.answer):
                _LOG.warning("question waited too long", answer=job.answer)
            self._waiting.discard(job)
        elif await self._jobs.keep_alive(job.answer):
            job.due = min(asyncio.get_running_loop().time() + self._renew_every, job.expires)
        else:
            job.due = job.expires
