"""What there is to see of processes, the queue, and what runs."""

import pytest

from tests.support.wire.scenario import Scenario
from wire import keys
from wire.overview import Overview
from wire.redis.store import Store
from wire.reporter import ProcessLoad, Reporter
from wire.version import VERSION

pytestmark = pytest.mark.anyio


def worker(store: Store, name: str, load: ProcessLoad) -> Reporter:
    return Reporter(store, "worker", name, lambda: load, dict, lambda: False)


async def test_a_worker_that_only_beats_is_seen_too(scenario: Scenario, store: Store) -> None:
    await scenario.hire("old")
    (process,) = await Overview(store).read_processes()
    assert (process.kind, process.name, process.state, process.load.version) == ("worker", "old", "up", "")
    assert process.last_seen > 0


async def test_a_worker_whose_heartbeat_has_run_out_is_dead_at_once(scenario: Scenario, store: Store) -> None:
    await scenario.hire("w1")
    await worker(store, "w1", ProcessLoad(slots=4)).report()
    await scenario.kill("w1")
    (process,) = await Overview(store).read_processes()
    assert (process.state, process.load.slots) == ("dead", 4)


async def test_a_process_that_reports_no_version_is_of_an_unknown_one(store: Store) -> None:
    await worker(store, "w1", ProcessLoad(slots=4)).report()
    await worker(store, "w2", ProcessLoad(slots=4)).report()
    await store.commands.hset(keys.facts_key(), "worker:w2", '{"slots": 3}')
    versions = {process.name: process.load.version for process in await Overview(store).read_processes()}
    assert versions == {"w1": VERSION, "w2": ""}


async def test_facts_of_another_version_do_no_harm(store: Store) -> None:
    await worker(store, "w1", ProcessLoad(slots=4)).report()
    await store.commands.hset(keys.facts_key(), "worker:w1", '{"slots": {"more": 1}}')
    await store.commands.hset(keys.facts_key(), "worker:w2", '{"slots": 3, "news": []}')
    assert [process.load.slots for process in await Overview(store).read_processes()] == [0]


async def test_the_queue_reports_its_length_its_oldest_and_who_is_first(scenario: Scenario, store: Store) -> None:
    overview = Overview(store)
    empty = await overview.read_queue(10)
    assert (empty.length, empty.oldest_since, empty.wait, empty.first_answers) == (0, 0, 0, ())
    answers = [(await scenario.ask(str(number))).answer for number in range(3)]
    queue = await overview.read_queue(2)
    assert (queue.length, len(queue.first_answers)) == (3, 2)
    assert set(queue.first_answers) < set(answers)
    assert 0 < queue.oldest_since <= queue.now
    assert 1 <= queue.wait <= 60


async def test_only_jobs_that_have_not_ended_are_seen(scenario: Scenario, store: Store) -> None:
    await scenario.hire("w1")
    first = await scenario.ask("first")
    await scenario.finish(await scenario.sent("w1"))
    running = await scenario.ask("second")
    await scenario.sent("w1")
    waiting = await scenario.ask("third")
    jobs = await Overview(store).read_jobs([first.answer, running.answer, waiting.answer, "s0-unknown"])
    assert [(job.answer, job.state) for job in jobs] == [(running.answer, "SENT"), (waiting.answer, "QUEUED")]
    assert all(job.accepted > 0 for job in jobs)
