"""Whenever Redis loses what it wrote since a moment, and whoever dies then: workers mend it with what they have."""

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.support.wire.scenario import Asked, Scenario
from tests.support.wire.snapshot import forget_since, remember
from wire import keys
from wire.answers import Answers
from wire.errors import AnswerLostError, LeaseLostError, StateLostError, TokenUnknownError, WireError
from wire.messages import TERMINAL, Delta, Event, Failed, Final, encode
from wire.redis.store import Store
from wire.sessions import ClaimedJob, TurnEnd
from wire.terminal_events import INTERRUPTED
from worker.leases import LeaseTable
from worker.turns import recent_events
from worker.turns.recent_events import RecentEvents

PROFILE = settings(
    max_examples=int(os.environ.get("MACHINE_EXAMPLES", "15")),
    stateful_step_count=40,
    derandomize=True,
    deadline=None,
)
WHICH = st.integers(0, 5)
STEPS = st.sampled_from(["takes", "streams", "streams", "streams", "silent", "ends"])
# Which of two workers; mostly none.
DIES = st.sampled_from([0, 1, 2, 2, 2, 2])
# Longer than any test.
NEVER = 6 * 3600.0


@dataclass(eq=False)
class RunningTurn:
    """What a lease table needs of a turn. `pending`: an event of which its worker doesn't know whether Redis has it."""

    job: ClaimedJob
    recent: RecentEvents = field(default_factory=RecentEvents)
    sent: bool = False
    lost: bool = False
    pending: bytes | None = None
    counted: ExitStack = field(default_factory=ExitStack)

    @property
    def seq(self) -> int:
        return self.recent.last

    @property
    def question_count(self) -> int:
        return self.job.sent + 1 if self.sent else 0


class LosingWorker:
    """One worker. `reported`: since Redis lost something last."""

    def __init__(self, name: str, scenario: Scenario) -> None:
        self.name = name
        self.scenario = scenario
        self.leases = LeaseTable(scenario.sessions, name)
        self.turns: list[RunningTurn] = []
        self.reported = True

    async def take(self) -> None:
        for job in await self.scenario.take_all(self.name, free=1):
            turn: Any = RunningTurn(job)
            self.leases.add_served(job.lease.token)
            turn.counted.enter_context(self.leases.running(turn))
            self.turns.append(turn)

    async def report(self) -> None:
        lost = await self.leases.reassert(0.0)
        self.reported = True
        for turn in [turn for turn in self.turns if turn.job.answer in lost]:
            await self.break_off(turn)

    async def carry(self, turn: RunningTurn, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make a turn's call, once more after a report; return what it does, None if the turn is broken off."""
        try:
            return await call()
        except (LeaseLostError, StateLostError):
            await self.report()
        except WireError:
            return await self.break_off(turn)
        try:
            return await call() if turn in self.turns else None
        except WireError:
            return await self.break_off(turn)

    async def break_off(self, turn: RunningTurn) -> None:
        self.drop(turn)
        sessions = self.scenario.sessions
        end = sessions.encode_end(turn.job, "FAILED", INTERRUPTED, None, seq=turn.seq, spent=turn.sent)
        try:
            await sessions.write_end(end)
        except WireError:
            return
        self.record_end(turn, end)

    def record_end(self, turn: Any, end: TurnEnd) -> None:
        self.leases.record_end(turn, end)
        self.leases.add_idle(turn.job.lease)

    def drop(self, turn: RunningTurn) -> None:
        self.turns.remove(turn)
        turn.counted.close()
        self.leases.remove_served(turn.job.lease.token)


class LossMachine(RuleBasedStateMachine):
    """Questions, workers and readers on one Redis that loses data."""

    def __init__(self, store: Store, runner: asyncio.Runner) -> None:
        super().__init__()
        self.run = runner.run
        self.store = store
        self.scenario = Scenario(store, lease_ttl=NEVER)
        self.run(self.scenario.redis.flushall())
        self.run(self.scenario.settle())
        self.asked: list[Asked] = []
        self.workers: list[LosingWorker] = []
        self.hired = 0
        # What the readers of each answer have, of which they have seen each event when Redis had it.
        self.seen: dict[str, list[bytes]] = defaultdict(list)
        # Who has asked each question; and those that may come to another end, since somebody died or Redis forgot them.
        self.askers: dict[str, list[LosingWorker]] = defaultdict(list)
        self.excused: set[str] = set()
        self.patches = ExitStack()
        for _ in range(2):
            self.hire()

    @initialize(keeps=st.sampled_from([True, True, False]), fast=st.booleans())
    def begins(self, keeps: bool, fast: bool) -> None:
        """Workers have the last events, or none."""
        self.keeps = keeps
        self.patches.enter_context(mock.patch.object(recent_events, "MOST_EVENTS", 1024 if keeps else 0))
        self.patches.enter_context(mock.patch.object(recent_events, "LOST_SECONDS", NEVER))
        self.scenario.sessions.appends.allow_fast(fast)
        for which in range(2):
            self.asks(which)
            self.works(0, 0, "streams")

    @rule(which=WHICH)
    def asks(self, which: int) -> None:
        """Ask a first question, or a further one of an answer that its readers have to the end."""
        ended = [asked for asked in self.asked if self._has_end(asked.answer)]
        token = ended[which % len(ended)].token if ended and which % 2 else None
        try:
            asked = self.run(self.scenario.ask(token=token))
        except TokenUnknownError:
            return
        # Its worker may have reported by then that the token went on.
        self.excused |= {before.answer for before in self.asked if before.token == token}
        self.asked.append(asked)

    @rule(which=WHICH, turn=WHICH, step=STEPS)
    def works(self, which: int, turn: int, step: str) -> None:
        """A worker takes a turn, or continues one; silent: it doesn't hear whether Redis has its event."""
        worker = self.workers[which % len(self.workers)]
        if not worker.turns or step == "takes":
            self.run(worker.take())
        if worker.turns:
            self.run(self._continue(worker, worker.turns[turn % len(worker.turns)], step))

    @rule(steps=st.lists(st.tuples(WHICH, WHICH, STEPS), min_size=1, max_size=8), asks=st.booleans(), dies=DIES)
    def loses(self, steps: list[tuple[int, int, str]], asks: bool, dies: int) -> None:
        """Redis loses all that happens since some moment; perhaps a worker dies before it has reported anything."""
        snapshot = self.run(remember(self.store))
        if asks:
            self.asks(steps[0][1])
        for step in steps:
            self.works(*step)
        known = {asked.answer for asked in self.asked if keys.job_key(asked.answer).encode() in snapshot}
        self.excused |= {asked.answer for asked in self.asked} - known
        self.run(forget_since(self.store, snapshot))
        for worker in self.workers:
            worker.reported = False
        self.run(self._beat())
        if dies < 2:
            self.dies(dies)

    @rule(which=WHICH)
    def reports(self, which: int) -> None:
        self.run(self.workers[which % len(self.workers)].report())
        self._settle()

    @rule(which=WHICH, rare=st.integers(0, 3))
    def dies(self, which: int, rare: int = 0) -> None:
        """A worker dies, perhaps before it has written anything again. Another one comes."""
        if rare:
            return
        worker = self.workers.pop(which % len(self.workers))
        self.excused |= {asked.answer for asked in self.asked if worker in self.askers[asked.answer]}
        self.excused |= {turn.job.answer for turn in worker.turns}
        self.run(self.scenario.kill(worker.name))
        self.hire()

    @rule(which=WHICH)
    def reaps(self, which: int) -> None:
        self.run(self._reap(self.workers[which % len(self.workers)]))

    def hire(self) -> None:
        self.hired += 1
        self.workers.append(LosingWorker(f"w{self.hired}", self.scenario))
        self.run(self._beat())

    def _settle(self) -> None:
        """When all that live have reported turns are taken again, and the dead reaped."""
        if all(worker.reported for worker in self.workers):
            self.run(self.scenario.settle())

    def _has_end(self, answer: str) -> bool:
        return b'"final"' in b"".join(self.seen[answer][-1:])

    async def _beat(self) -> None:
        await self.scenario.hire(*(worker.name for worker in self.workers), may_judge=True)

    async def _reap(self, worker: LosingWorker) -> None:
        for number in range(1, self.hired + 1):
            await self.scenario.sessions.reap(worker.name, f"w{number}")

    async def _continue(self, worker: LosingWorker, turn: RunningTurn, step: str) -> None:
        job, sessions = turn.job, self.scenario.sessions
        if not turn.sent:
            mark = lambda: sessions.mark_sent(job, 1, job.sent + 1, fresh=job.session is None)  # noqa: E731
            await worker.carry(turn, mark)
            if turn in worker.turns:
                self._send(worker, turn)
        elif step == "ends" and turn.pending is None:
            await self._end(worker, turn)
        else:
            event = turn.pending or encode(Delta(f"{turn.seq + 1} of {job.answer}"))
            turn.pending = event
            append = lambda: sessions.append(job.lease, job.answer, turn.seq + 1, event)  # noqa: E731
            if await worker.carry(turn, append) is not None:
                await self._look(job.answer)
                if step != "silent":
                    turn.recent.add(event, 0.0)
                    turn.pending = None

    def _send(self, worker: LosingWorker, turn: RunningTurn) -> None:
        answer = turn.job.answer
        assert not self.askers[answer] or answer in self.excused, f"{answer} was asked twice"
        turn.sent = True
        self.askers[answer].append(worker)

    async def _end(self, worker: LosingWorker, turn: RunningTurn) -> None:
        sessions, answer = self.scenario.sessions, turn.job.answer
        end = sessions.encode_end(turn.job, "DONE", Final(answer), b"{}", seq=turn.seq)
        if await worker.carry(turn, lambda: sessions.write_end(end)) is not None:
            worker.drop(turn)
            worker.record_end(turn, end)
            await self._look(answer)

    async def _look(self, answer: str) -> None:
        """Those who read along see each event once: what they have already is what Redis has, or had."""
        seen = self.seen[answer]
        for id_, fields in await self.scenario.redis.xrange(keys.log_key(answer)):
            seq, event = int(id_.split(b"-")[0]), fields[b"e"]
            if seq > len(seen):
                assert seq == len(seen) + 1 or answer in self.excused or not self.keeps
                seen.append(event)
            elif answer not in self.excused and self.keeps:
                assert seen[seq - 1] == event, (answer, seq)

    def teardown(self) -> None:
        """Everything comes to its end. An example that has failed stays as it is."""
        with self.patches:
            if sys.exception() is None:
                self.run(self._finish_everything())

    async def _finish_everything(self) -> None:
        for _ in range(2 * len(self.asked) + 2):
            for worker in self.workers:
                await worker.report()
            await self.scenario.settle()
            await self._beat()
            await self._reap(self.workers[0])
            for worker in self.workers:
                await worker.take()
                for turn in list(worker.turns):
                    for step in ("streams", "ends"):
                        if turn in worker.turns:
                            await self._continue(worker, turn, step)
        answers = Answers(self.store)
        for asked in self.asked:
            await self._check(answers, asked.answer)

    async def _check(self, answers: Answers, answer: str) -> None:
        """One end; no gap and no repeat; and the whole answer, where its worker lives and has what Redis lost."""
        try:
            events = (await answers.read(answer)).events
            following = await answers.catch_up(answer, len(self.seen[answer]), new=False, ahead=True)
        except AnswerLostError:
            assert answer in self.excused
            return
        terminal = [isinstance(event.event, TERMINAL) for event in events]
        if not events:
            assert answer in self.excused
            return
        assert terminal == [False] * (len(events) - 1) + [True], (answer, events)
        if not self._has_end(answer) and following:
            assert isinstance(following.events[-1].event, TERMINAL)
        seqs = [event.seq for event in events]
        last: Event = events[-1].event
        if answer in self.excused or not self.keeps:
            whole = seqs == list(range(1, len(events) + 1))
            assert whole or isinstance(last, Failed), (answer, events)
        else:
            assert seqs == list(range(1, len(events) + 1)), (answer, seqs)
            assert isinstance(last, Final), (answer, events)


@pytest.mark.timeout(900)
def test_what_redis_loses_is_made_good(store_url: str) -> None:
    with asyncio.Runner() as runner:

        async def open_store() -> Store:
            return Store(store_url)

        store = runner.run(open_store())
        begin: Any = lambda: LossMachine(store, runner)  # noqa: E731 - typed as a class there
        run_state_machine_as_test(begin, settings=PROFILE)
        runner.run(store.close())
