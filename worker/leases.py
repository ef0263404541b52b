"""The leases of one worker, and the answers that it ended recently."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from wire.appends import Appended
from wire.errors import LeaseLostError, StoreUnavailableError, WireError
from wire.joint_tasks import run_together
from wire.messages import Chat
from wire.sessions import ClaimedJob, Lease, Sessions, TurnEnd
from worker.turns.ended_answers import EndedAnswer, EndedAnswers, Ending
from worker.turns.recent_events import LOST_SECONDS, RecentEvents
from worker.turns.turn import Turn


@dataclass(frozen=True)
class _IdleLease:
    """A lease without a running turn, and since when (loop time)."""

    lease: Lease
    since: float


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
        self._ended = EndedAnswers()

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

    def record_end(self, turn: Turn, end: TurnEnd) -> None:
        """Record that the turn's end is written.

        It can be written again if the answer is all that Redis has got with it: pictures and results are keys beside.
        """
        job, seq = turn.job, turn.seq + (2 if end.rest else 1)
        ending = Ending(end, turn.recent, turn.question_count) if isinstance(job.work, Chat) and turn.sent else None
        self._ended.add(EndedAnswer(job.lease.token, job.answer, seq, _now(), ending))

    def forget_ended(self, beat_age: float) -> None:
        """Forget the answers whose ends Redis is sure to have, since it was there `beat_age` seconds ago."""
        self._ended.forget_before(_now() - beat_age - self._lost_seconds)

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

        What Redis has lost of their events and ends it gets again. Return the answers that can't continue. Raises
        StoreUnavailableError: call it again.
        """
        of_tokens = defaultdict[str, list[EndedAnswer]](list)
        for ended in self._ended.since(last_beat - self._lost_seconds):
            of_tokens[ended.token].append(ended)
        await run_together(partial(self._reassert_ended, answers) for answers in of_tokens.values())
        lost = await self._reassert_turns()
        await run_together(partial(self._reassert_idle, idle) for idle in list(self._idle.values()))
        async with self.taking:
            for lease in await self._sessions.read_leases(self._worker):
                if lease.token not in self._served and lease.token not in self._idle:
                    await self._sessions.disclaim(lease)
        return lost

    async def _reassert_ended(self, answers: Iterable[EndedAnswer]) -> None:
        """Report the ends of a token's answers, one after the other as they came."""
        for ended in answers:
            if ended.ending is None or not await self._write_again(ended.ending):
                await self._sessions.report_end(ended.token, ended.answer, ended.seq)

    async def _reassert_idle(self, idle: _IdleLease) -> None:
        token = idle.lease.token
        if not await self._sessions.reassert(idle.lease) and self._idle.get(token) is idle:
            del self._idle[token]

    async def _reassert_turns(self) -> list[str]:
        """Report the turns that run, and return the answers of those that can't continue."""
        appends: list[asyncio.Future[Appended]] = []
        await run_together(partial(self._reassert_turn, turn, appends) for turn in list(self._turns.values()))
        # What fails here the answer's next append finds missing, which is followed by another report.
        await asyncio.gather(*appends, return_exceptions=True)
        return [answer for answer, turn in self._turns.items() if turn.lost]

    async def _reassert_turn(self, turn: Turn, appends: list[asyncio.Future[Appended]]) -> None:
        """Report a turn. What is appended again is added to `appends`."""
        lease, answer, recent = turn.job.lease, turn.job.answer, turn.recent
        known = await self._sessions.reassert(lease, answer, turn.question_count, recent.last, recent.first)
        turn.lost = known is None
        if known is not None:
            appends += self._append_again(lease, answer, recent, known.seq)

    def _append_again(
        self, lease: Lease, answer: str, recent: RecentEvents, known: int
    ) -> list[asyncio.Future[Appended]]:
        """Append what Redis has lost behind the event `known`, under the same seqs."""
        return [self._sessions.append(lease, answer, seq, event) for seq, event in recent.after(known)]

    async def _write_again(self, ending: Ending) -> bool:
        """Write an answer's events and its end again, if Redis has lost them. Return whether the end is there then."""
        end, recent = ending.end, ending.recent
        known = await self._sessions.reassert(end.lease, end.answer, ending.question_count, recent.last, recent.first)
        if known is None:
            return False
        try:
            await asyncio.gather(*self._append_again(end.lease, end.answer, recent, known.seq))
            await self._sessions.write_end(end)
        except StoreUnavailableError:
            raise
        except WireError:
            return False
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
