"""Whatever order wire's calls come in, lost, doubled or late, and whoever dies meanwhile: the promises are kept."""

import asyncio
import os
import sys
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from gateway.settings import GatewaySettings
from tests.support.wire.actors import Chore, Gateway, Step, Wish, Worker, pick
from tests.support.wire.checked_store import CheckedStore, Fate
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.redis.store import Store
from wire.work_store import SHORT_WORK

# No lease runs out by itself: time passes only where a rule says so.
LIMITS = GatewaySettings(queue_limit=6, mailbox_limit=3, client_limit=5)
PROFILE = settings(
    max_examples=int(os.environ.get("MACHINE_EXAMPLES", "15")),
    stateful_step_count=50,
    derandomize=True,
)
MOST_WORKERS = 4
# How many rounds the workers get for everything that waits.
ROUNDS = 20


def often(**weights: int) -> Any:
    """One of the names, each as often as its number says."""
    return st.sampled_from([name.replace("_", " ") for name, weight in weights.items() for _ in range(weight)])


FATES = often(arrives=5, twice=1, echoes=2, lost=1, late=1, slow=1, unconfirmed=1)
WISHES = often(ask=8, expire=1, stop=2, abandon=2, end_session=1, sweep=1)
TURNS = often(well=4, afresh=1, streams=3, is_refused=2, fails=1, goes_back=1, takes=3)
CHORES = often(
    goes_on=6,
    gives_up=1,
    beats=1,
    reasserts=1,
    forgets=2,
    releases=1,
    reaps=1,
    drains=1,
)
WHICH = st.integers(0, 5)
ASKS = st.tuples(
    WISHES, WHICH, st.sampled_from(["", "c", "d"]), st.sampled_from(["", "", "", "a", "b"]), st.booleans(), FATES
)
STEPS = st.lists(st.tuples(TURNS | TURNS | CHORES, WHICH, FATES), min_size=1, max_size=10)
Asks = tuple[Wish, int, str, str, bool, Fate]
Steps = tuple[Step | Chore, int, Fate]


class Machine(RuleBasedStateMachine):
    """Gateways and workers on one Redis, and what happens to them."""

    def __init__(self, store: CheckedStore, runner: asyncio.Runner) -> None:
        super().__init__()
        self.run = runner.run
        self.store = store
        self.run(store.begin())
        self.scenario = Scenario(store, LIMITS, lease_ttl=3600.0)
        self.run(self.scenario.settle())
        self.gateway = Gateway(store, self.scenario)
        self.workers: list[Worker] = []
        self.hired = 0
        for _ in range(2):
            self.hire()
        self.pass_time()

    @initialize(wishes=st.lists(ASKS, min_size=1, max_size=3), steps=STEPS, inside=st.booleans(), fast=st.booleans())
    def begins(self, wishes: list[Asks], steps: list[Steps], inside: bool, fast: bool) -> None:
        """No example is without work, inside its job or beside it. Answers grow by fast appends or careful ones."""
        self.scenario.sessions.appends.allow_fast(fast)
        self.store.model.inside = inside
        self.scenario.jobs._inside = SHORT_WORK if inside else 0
        for wish in wishes[1:]:
            self.asks(wish)
        self.works(wishes[0], 0, steps)

    @rule(wish=ASKS)
    def asks(self, wish: Asks) -> None:
        self.run(self.gateway.do(*wish))

    @rule(wish=ASKS, which=WHICH, steps=STEPS)
    def works(self, wish: Asks, which: int, steps: list[Steps]) -> None:
        """One worker works for a while."""
        self.asks(wish)
        for step in steps:
            if self.workers:
                self.run(pick(self.workers, which).do(*step))

    @rule(wish=ASKS, steps=STEPS)
    def work(self, wish: Asks, steps: list[Steps]) -> None:
        """All workers work for a while."""
        self.asks(wish)
        for turn, step in enumerate(steps):
            if self.workers:
                self.run(pick(self.workers, turn).do(*step))

    @rule(client=st.sampled_from(["", "c", "c", "d"]), number=st.integers(2, 4), which=WHICH, steps=STEPS)
    def comes(self, client: str, number: int, which: int, steps: list[Steps]) -> None:
        """A client begins several conversations, and one worker works for a while."""
        for _ in range(number):
            self.run(self.gateway.do("ask", -1, client, "", False, "arrives"))
        for step in steps:
            if self.workers:
                self.run(pick(self.workers, which).do(*step))

    @rule(what=often(goes_on=2, gives_up=1, late_call=3), which=WHICH, fate=FATES)
    def hears(self, what: str, which: int, fate: Fate) -> None:
        """Something happens to a call of long ago."""
        if what == "late call" and self.store.late:
            self.run(self.store.arrive_late(which))
        elif what == "goes on":
            self.run(self.gateway.go_on(which, fate))
        elif what == "gives up":
            self.gateway.give_up(which)

    @rule(what=often(lease=3, pause=1, moment=1, overdue=1, hired=3, frozen=1, dead=1, leaves=1), which=WHICH)
    def happens(self, what: str, which: int) -> None:
        match what:
            case "lease" | "pause":
                self.pass_time(pause=what == "pause")
            case "moment":
                self.run(self.age())
            case "overdue":
                self.run(self.let_wait(which))
            case "hired" if len(self.workers) < MOST_WORKERS:
                self.hire()
            case "frozen" if self.workers:
                self.freeze(pick(self.workers, which))
            case "dead" if self.workers:
                self.kill(pick(self.workers, which))
            case "leaves" if self.workers:
                self.leave(pick(self.workers, which))

    def pass_time(self, pause: bool = False) -> None:
        """Let a lease's time pass, in which all have beaten, or a pause of Redis, in which nobody could."""
        for name in self.store.seen["worker"]:
            self.run(self.scenario.redis.hset(keys.worker_key(name), "last" if pause else "since", 1))
        self.run(self.age())
        if pause:
            self.store.model.redis_pauses()
        else:
            self.store.model.lease_passes()

    async def age(self) -> None:
        """Let all tokens that wait have done so for longer than they are left to their owners."""
        redis = self.scenario.redis
        for client, line in self.store.seen["jobs_of"].items():
            name, ttl = keys.line_key(client), await redis.pttl(keys.line_key(client))
            await redis.delete(name)
            for number, (_, fields) in enumerate(line, 1):
                await redis.xadd(name, fields, id=f"1-{number}")
                await redis.hset(keys.token_key(fields["t"]), "entry", f"1-{number}")
            await redis.pexpire(name, ttl)
        self.store.model.ring.grow_old()
        await self.store.observe()

    async def let_wait(self, which: int) -> None:
        """Let a job have waited for longer than it may."""
        if waiting := [job for job in self.store.model.jobs.values() if job.state == "QUEUED"]:
            job = pick(waiting, which)
            job.overdue = True
            await self.scenario.redis.hset(keys.job_key(job.answer), "wait_until", 1)
            await self.store.observe()

    def hire(self) -> None:
        self.hired += 1
        worker = Worker(f"w{self.hired}", self.store, self.scenario)
        self.run(worker.begin())
        self.workers.append(worker)

    def freeze(self, worker: Worker) -> None:
        """For so long that its heartbeat is gone; it may go on, and beat again."""
        worker.frozen, worker.lapses = True, worker.lapses + 1
        self.end_heartbeat(worker.name)

    def kill(self, worker: Worker) -> None:
        self.workers.remove(worker)
        self.end_heartbeat(worker.name)

    def end_heartbeat(self, name: str) -> None:
        self.run(self.scenario.kill(name))
        self.store.model.dies(name)
        self.run(self.store.observe())

    def leave(self, worker: Worker) -> None:
        self.workers.remove(worker)
        self.run(self.scenario.sessions.leave(worker.name))
        self.store.model.leaves(worker.name)
        self.run(self.store.observe())

    def teardown(self) -> None:
        """Everything comes to its end, and everybody leaves. An example that has failed stays as it is."""
        if sys.exception() is None:
            self.finish_everything()
            for worker in list(self.workers):
                for token in list(worker.idle):
                    self.run(worker.release(token, "arrives"))
                self.leave(worker)
            self.store.model.check_rest(self.store.seen)
            self.run(self.expire_everything())

    async def expire_everything(self) -> None:
        """When all that is kept has expired, nothing counts any more, a beat or a few later."""
        redis = self.scenario.redis
        names = [keys.kept_key(), keys.kept_transcripts_key(), keys.sizes_key(), keys.bytes_key()]
        for name in names[:2]:
            if items := await redis.zrange(name, 0, -1):
                await redis.zadd(name, dict.fromkeys(items, 1))
        for _ in range(ROUNDS):
            await Store.run(self.store, "beat", keys.worker_key("last"), keys.prefix(), "last", 1000, 1, 600, 0, 0)
        assert await redis.exists(*names) == 0

    def finish_everything(self) -> None:
        """Deliver late calls, end frozen workers, and let the others and a new one do all that there is to do."""
        while self.store.late:
            self.run(self.store.arrive_late(0))
        self.workers = [worker for worker in self.workers if not worker.frozen]
        for name in self.store.seen["worker"].keys() - {worker.name for worker in self.workers}:
            self.end_heartbeat(name)
        self.hire()
        for _ in range(ROUNDS):
            if not any(process.busy for process in (self.gateway, *self.workers)):
                return
            self.pass_time()
            for process in (self.gateway, *self.workers):
                while process.unanswered:
                    self.run(process.go_on(0, "arrives"))
            for worker in self.workers:
                self.run(worker.do_everything())
            for worker in [worker for worker in self.workers if worker.draining and not worker.turns]:
                for token in list(worker.idle):
                    self.run(worker.release(token, "arrives"))
                self.leave(worker)


@pytest.mark.timeout(1800)
def test_the_promises_are_kept(store_url: str) -> None:
    with asyncio.Runner() as runner:
        store = CheckedStore(store_url, LIMITS)
        begin: Any = lambda: Machine(store, runner)  # noqa: E731 - typed as a class there
        run_state_machine_as_test(begin, settings=PROFILE)
        runner.run(store.close())
