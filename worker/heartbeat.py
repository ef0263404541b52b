"""A worker's heartbeat: its leases are valid for as long as it beats."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from wire.errors import StoreUnavailableError
from wire.sessions import HeartbeatReply, Sessions

# Seconds. A beat brings the answers to stop, and a stop must reach the upstream within a second, also without the bell.
_EVERY = 0.9
# Seconds between two attempts while Redis is away: the others wait for what this worker reports.
_AWAY_PAUSE = 0.2
_LOG = structlog.get_logger()


class Heartbeat:
    """Beats every min(0.9 s, lease/6), and at once when its connection is lost.

    `on_beat` gets each reply. `reassert` reports to Redis what the worker holds: it is called when Redis may have lost
    data or is back, with the loop time of the last beat before that. `takes_work` returns whether the worker has an
    account: gateways don't count on one that hasn't. `free` returns how many more turns it can take.
    """

    def __init__(
        self,
        sessions: Sessions,
        worker: str,
        on_beat: Callable[[HeartbeatReply], None],
        reassert: Callable[[float], Awaitable[None]],
        takes_work: Callable[[], bool],
        free: Callable[[], int],
    ) -> None:
        self._sessions = sessions
        self._worker = worker
        self._on_beat = on_beat
        self._reassert = reassert
        self._takes_work = takes_work
        self._free = free
        self._hurry = asyncio.Event()
        self._ttl = sessions.lease_ttl
        self._last_beat = self._last_asserted = float("-inf")
        # When the Redis that last got the worker's leases began to run with its data; None before the first beat.
        self._redis_began: int | None = None
        self._must_reassert = False
        # How many reports have begun, and the number of the last one that Redis has got.
        self._begun = self._reported = 0
        self._report_ended = asyncio.Condition()
        sessions.store.on_heartbeats_lost = self.hurry

    @property
    def lease_valid(self) -> bool:
        """Whether the lease can't have expired: the last good beat began less than a lease ago."""
        return self.age < self._ttl

    @property
    def age(self) -> float:
        """Seconds since the last good beat began; infinite before the first."""
        return asyncio.get_running_loop().time() - self._last_beat

    def request_reassert(self) -> None:
        """Reassert with the next beat: Redis may count more as this worker's than it holds."""
        self._must_reassert = True

    async def report(self) -> None:
        """Return once a report has reached Redis that began after this call. All who wait for one get the same."""
        begun = self._begun
        self.request_reassert()
        self.hurry()
        async with self._report_ended:
            await self._report_ended.wait_for(lambda: self._reported > begun)

    def hurry(self) -> None:
        """Beat soon: there is an answer to stop, or another Redis."""
        self._hurry.set()

    async def beat(self) -> None:
        """Beat once, and more often while there is much to report. Raises StoreUnavailableError."""
        beat = await self._renew()
        # Those that follow during the report say nothing of what Redis had lost before.
        began = self._last_beat
        changed = self._redis_began not in (None, beat.data_since)
        if self._must_reassert or changed:
            _LOG.warning("redis may not know what this worker holds, reporting it")
            await self._report_beating()
        if changed:
            # Nobody takes turns before Redis has heard of the report, by the next beat.
            self.hurry()
        self._redis_began, self._last_asserted = beat.data_since, began
        self._on_beat(beat)

    async def _renew(self) -> HeartbeatReply:
        began = asyncio.get_running_loop().time()
        beat = await self._sessions.beat(
            self._worker, free=self._free(), takes_work=self._takes_work(), reported=self._redis_began
        )
        self._last_beat = began
        return beat

    async def _report_beating(self) -> None:
        """Report, and beat meanwhile: a worker that holds much must not look dead."""
        reporting = asyncio.create_task(self._report())
        try:
            while not (await asyncio.wait([reporting], timeout=self._pause))[0]:
                await self._renew()
            reporting.result()
        finally:
            reporting.cancel()
            await asyncio.wait([reporting])

    @property
    def _pause(self) -> float:
        return min(_EVERY, self._ttl / 6)

    async def _report(self) -> None:
        # What is requested from here on is for the next beat.
        self._must_reassert = False
        self._begun += 1
        number = self._begun
        try:
            await self._reassert(self._last_asserted)
        except BaseException:
            self._must_reassert = True
            raise
        async with self._report_ended:
            self._reported = max(self._reported, number)
            self._report_ended.notify_all()

    async def run(self) -> None:
        """Beat until cancelled. Log once when Redis goes away, and once when it is back."""
        away = False
        while True:
            self._hurry.clear()
            try:
                await self.beat()
            except StoreUnavailableError as error:
                if not away:
                    _LOG.error("redis is away, trying again", cause=str(error))
                away = self._must_reassert = True
                await asyncio.sleep(_AWAY_PAUSE)
                continue
            if away:
                _LOG.info("redis is back")
            away = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause):
                    await self._hurry.wait()
