"""What a worker holds: tokens that it is claiming, runs a turn of, or keeps idle; and what it ended just now."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wire.errors import LeaseLostError, StoreUnavailableError
from wire.sessions import ClaimedJob, Lease, Sessions
from worker.turns.turn import Turn

_MOST_ENDED = 10_000


@dataclass(frozen=True)
class _Idle:
    """A lease without a running turn, and since when (loop time)."""

    lease: Lease
    since: float


@dataclass(frozen=True)
class _Ended:
    """An answer that ended with its event `seq`, and when (loop time)."""

    token: str
    answer: str
    seq: int
    at: float


class LeaseTable:
    """One worker's tokens. Redis has the say on them; this is what Redis is told when it may have forgotten."""

    def __init__(self, sessions: Sessions, worker: str, ends_repeated: float) -> None:
        self._sessions = sessions
        self._worker = worker
        self._ends_repeated = ends_repeated
        self._serving: Counter[str] = Counter()
        self._turns: dict[str, Turn] = {}
        self._idle: dict[str, _Idle] = {}
        self._ended: deque[_Ended] = deque(maxlen=_MOST_ENDED)

    @property
    def count(self) -> int:
        """How many tokens are held, with a turn or without."""
        return len(self._turns) + len(self._idle)

    @property
    def running_jobs(self) -> list[ClaimedJob]:
        """The jobs whose turns run."""
        return [turn.job for turn in self._turns.values()]

    @contextmanager
    def claiming(self, token: str) -> Iterator[None]:
        """The token is claimed and worked on, as far as this worker knows, during the body."""
        self._serving[token] += 1
        try:
            yield
        finally:
            self._serving[token] -= 1
            if not self._serving[token]:
                del self._serving[token]

    @contextmanager
    def running(self, turn: Turn) -> Iterator[None]:
        """The token's turn runs during the body, which ends with its end."""
        task = turn.job
        self._idle.pop(task.lease.token, None)
        self._turns[task.answer] = turn
        try:
            yield
        finally:
            del self._turns[task.answer]

    def record_end(self, turn: Turn) -> None:
        """The turn's end is written."""
        self._ended.append(_Ended(turn.job.lease.token, turn.job.answer, turn.seq + 1, _now()))

    def add_idle(self, lease: Lease) -> None:
        """The token has no work for now."""
        self._idle[lease.token] = _Idle(lease, _now())

    def idle_for(self, seconds: float) -> list[str]:
        """The tokens that have had no work for so long."""
        return [token for token, idle in self._idle.items() if _now() - idle.since >= seconds]

    async def release(self, token: str) -> None:
        """Give an idle token back; while Redis is away it stays."""
        idle = self._idle.pop(token, None)
        if idle is None:
            return
        try:
            await self._sessions.release(idle.lease)
        except LeaseLostError:
            pass
        except StoreUnavailableError:
            self._idle.setdefault(token, idle)

    async def reassert(self, heard: float) -> list[str]:
        """Tell Redis all of it, which was `heard` of last at that loop time.

        The answers that can't go on come back. StoreUnavailableError: do it again.
        """
        for end in [end for end in self._ended if end.at >= heard - self._ends_repeated]:
            await self._sessions.report_end(end.token, end.answer, end.seq)
        lost = []
        for turn in list(self._turns.values()):
            if not await self._sessions.reassert(turn.job.lease, turn.job.answer, turn.question_count, turn.seq):
                lost.append(turn.job.answer)
        for token, idle in list(self._idle.items()):
            if not await self._sessions.reassert(idle.lease) and self._idle.get(token) is idle:
                del self._idle[token]
        for lease in await self._sessions.read_leases(self._worker):
            if lease.token not in self._serving and lease.token not in self._idle:
                await self._sessions.disclaim(lease)
        return lost


def _now() -> float:
    return asyncio.get_running_loop().time()
