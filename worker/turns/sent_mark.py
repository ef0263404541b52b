"""The SENT marks of one turn: each is confirmed by a replica, where there is one, before its question leaves."""

import contextlib

from wire.errors import StoreUnavailableError, UnconfirmedError
from wire.redis.retry import retry_unavailable
from wire.sessions import ClaimedJob, Sessions, StatelessSession
from worker.turns.forgotten import Report, retry_forgotten


class SentMark:
    """Writes a mark for each attempt, and takes back one that isn't confirmed: a fail-over might undo it.

    `number` is the last mark's. Each has one of its own, so that a late call concerns no other. `report` is awaited
    where Redis has forgotten that the worker has the job.
    """

    def __init__(self, sessions: Sessions, job: ClaimedJob, report: Report) -> None:
        self.number = 0
        self._sessions = sessions
        self._job = job
        self._report = report
        self._unconfirmed = False

    async def write(self, sent: int, *, fresh: bool, stateless: StatelessSession | None, until: float) -> None:
        """Mark the job as sent; repeat that until `until` (loop time), and raise, as Sessions.mark_sent does."""
        self.begin()
        await retry_forgotten(lambda: self.try_write(sent, fresh=fresh, stateless=stateless), self._report, until)

    def begin(self) -> None:
        """Begin another attempt."""
        self.number += 1

    async def try_write(self, sent: int, *, fresh: bool, stateless: StatelessSession | None) -> None:
        """Try to write the attempt's mark; after StoreUnavailableError, try again."""
        await self._take_back()
        try:
            await self._sessions.mark_sent(self._job, self.number, sent, fresh=fresh, stateless=stateless)
        except UnconfirmedError:
            self._unconfirmed = True
            # Meanwhile it is as if it had never been.
            with contextlib.suppress(StoreUnavailableError):
                await self._take_back()
            raise

    async def _take_back(self) -> None:
        if self._unconfirmed:
            await self._sessions.take_back_mark(self._job, self.number)
            self._unconfirmed = False
            self.number += 1

    async def record_refusal(self, until: float) -> None:
        """Record that the upstream refused the last attempt; raise as Sessions.record_refusal does."""
        await retry_unavailable(lambda: self._sessions.record_refusal(self._job, self.number), until)
