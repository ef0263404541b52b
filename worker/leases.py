"""The leases of one worker, and the answers that it ended recently."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wire.errors import LeaseLostError, StoreUnavailableError
from wire.sessions import ClaimedJob, Lease, Sessions
from worker.turns.turn import Turn

# Seconds that a Redis which restarts with its append-only file may lose: the file is synced each second, at best.
LOST_SECONDS = 5.0
_MAX_ENDED = 10_000


@dataclass(frozen=True)
class _IdleLease:
    """A lease without a running turn, and since when (loop time)."""

    lease: Lease
    since: float


@dataclass(frozen=True)
class _EndedAnswer:
    """An answer that ended with its event `seq`, and when (loop time)."""

    token: str
    answer: str
    seq: int
    at: float


class LeaseTable:
    """One worker's leases. Redis decides who holds a token; this is what Redis gets when it may have forgotten it.

    A restart may lose what was written in the last `lost_seconds`.
    """

    def __init__(self, sessions: Sessions, worker: str, *, lost_seconds: float = LOST_SECONDS) -> None:
        self._sessions = sessions
        self._worker = worker
        self._lost_seconds = lost_seconds
        self._served: Counter[str] = Counter()
        # Held while turns are taken, until their tokens are counted as served.
        self.taking = asyncio.Lock()
        self._turns: dict[str, Turn] = {}
        self._idle: dict[str, _IdleLease] = {}
        self._ended: deque[_EndedAnswer] = deque(maxlen=_MAX_ENDED)

    @property
    def count(self) -> int:
        """The number of tokens that are held, with a turn or without."""
        return len(self._turns) + len(self._idle)

    @property
    def running_jobs(self) -> list[ClaimedJob]:
        """The jobs whose turns are running."""
        return [turn.job for turn in self._turns.values()]

    def add_served(self, token: str) -> None:
        """Count the token as this worker's until `remove_served`."""
        self._served[token] += 1

    def remove_served(self, token: str) -> None:
        """End what `add_served` began."""
        self._served[token] -= 1
        if not self._served[token]:
            del self._served[token]

    @contextmanager
    def running(self, turn: Turn) -> Iterator[None]:
        """Count the turn as running during the body."""
        job = turn.job
        self._idle.pop(job.lease.token, None)
        self._turns[job.answer] = turn
        try:
            yield
        finally:
            del self._turns[job.answer]

    def record_end(self, turn: Turn, events: int) -> None:
        """Record that the turn's end is written, the last of so many `events`."""
        self._ended.append(_EndedAnswer(turn.job.lease.token, turn.job.answer, turn.seq + events, _now()))

    def add_idle(self, lease: Lease) -> None:
        """Keep a lease whose token has no work for now."""
        self._idle[lease.token] = _IdleLease(lease, _now())

    async def release_idle(self, seconds: float = 0.0) -> None:
        """Release the tokens that had no work for so long; while Redis is away they are kept."""
        idle = [token for token, idle in self._idle.items() if _now() - idle.since >= seconds]
        await asyncio.gather(*map(self._release, idle))

    async def _release(self, token: str) -> None:
        idle = self._idle.pop(token, None)
        if idle is None:
            return
        try:
            await self._sessions.release(idle.lease)
        except LeaseLostError:
            pass
        except StoreUnavailableError:
            self._idle.setdefault(token, idle)

    async def reassert(self, last_beat: float) -> list[str]:
        """Report all leases to Redis, and the answers that ended since shortly before `last_beat` (loop time).

        Return the answers that can't continue. Raises StoreUnavailableError: call it again.
        """
        for end in [end for end in self._ended if end.at >= last_beat - self._lost_seconds]:
            await self._sessions.report_end(end.token, end.answer, end.seq)
        lost = []
        for turn in list(self._turns.values()):
            if not await self._sessions.reassert(turn.job.lease, turn.job.answer, turn.question_count, turn.seq):
                lost.append(turn.job.answer)
        for token, idle in list(self._idle.items()):
            if not await self._sessions.reassert(idle.lease) and self._idle.get(token) is idle:
                del self._idle[token]
        async with self.taking:
            for lease in await self._sessions.read_leases(self._worker):
                if lease.token not in self._served and lease.token not in self._idle:
                    await self._sessions.disclaim(lease)
        return lost


def _now() -> float:
    return asyncio.get_running_loop().time()
