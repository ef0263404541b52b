"""What there is to see of processes, the queue, and what runs."""

import pytest

from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.jobs import Client
from wire.messages import Delta
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
    await redis_client(store).hset(keys.facts_key(), "worker:w2", '{"slots": 3}')
    versions = {process.name: process.load.version for process in await Overview(store).read_processes()}
    assert versions == {"w1": VERSION, "w2": ""}


async def test_facts_of_another_version_do_no_harm(store: Store) -> None:
    await worker(store, "w1", ProcessLoad(slots=4)).report()
    await redis_client(store).hset(keys.facts_key(), "worker:w1", '{"slots": {"more": 1}}')
    await redis_client(store).hset(keys.facts_key(), "worker:w2", '{"slots": 3, "news": []}')
    assert [process.load.slots for process in await Overview(store).read_processes()] == [0]


async def test_all_answers_that_wait_or_are_reported_to_run_are_listed(scenario: Scenario, store: Store) -> None:
    assert await Overview(store).list_answers() == []
    waiting = [(await scenario.ask(str(number))).answer for number in range(3)]
    await worker(store, "w1", ProcessLoad(running=(("s0-a", "chat"), ("s0-b", "image")))).report()
    assert sorted(await Overview(store).list_answers()) == sorted([*waiting, "s0-a", "s0-b"])


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


async def enter_line(scenario: Scenario, client: str, *, at: int) -> None:
    """A client's first token has stood in its line since `at` (ms)."""
    await scenario.redis.rpush(keys.ring_key(), client)
    await scenario.redis.xadd(keys.line_key(client), {"t": f"of {client}"}, id=f"{at}-0")


async def test_the_client_that_waits_longest_is_found_by_the_firsts_of_their_lines(
    scenario: Scenario, store: Store
) -> None:
    for client, at in (("alice", 3000), ("bob", 2000), ("carol", 2500)):
        await enter_line(scenario, client, at=at)
    queue = await Overview(store).read_queue(10)
    assert (queue.clients, queue.longest_client, queue.longest_since) == (3, "bob", 2000)


async def test_one_whose_token_was_given_back_waits_since_its_job_was_accepted(
    scenario: Scenario, store: Store
) -> None:
    await scenario.hire("w1", "w2", may_judge=True)
    await scenario.settle()
    question = await scenario.ask(client=Client("alice"))
    task = await scenario.take("w1")
    await scenario.redis.hset(keys.job_key(question.answer), "accepted", 1000)
    assert await scenario.sessions.release(task.lease)
    await enter_line(scenario, "bob", at=2000)
    queue = await Overview(store).read_queue(10)
    assert (queue.longest_client, queue.longest_since) == ("alice", 1000)


async def test_a_hundred_clients_are_looked_at_and_no_more(scenario: Scenario, store: Store) -> None:
    for number in range(100):
        await enter_line(scenario, f"{number}", at=5000 - number)
    await enter_line(scenario, "the next", at=1)
    queue = await Overview(store).read_queue(10)
    assert (queue.clients, queue.longest_client, queue.longest_since) == (101, "99", 4901)


async def test_a_newcomer_waits_behind_the_clients_and_not_behind_all_their_jobs(
    scenario: Scenario, store: Store
) -> None:
    await scenario.redis.hset(keys.rate_key(), mapping={"at": 2**53, "gap": 4000})
    for _ in range(8):
        await scenario.ask(client=Client("alice"))
    assert (await Overview(store).read_queue(10)).wait == 8


async def test_only_jobs_that_have_not_ended_are_seen(scenario: Scenario, store: Store) -> None:
    await scenario.hire("w1")
    first = await scenario.ask("first")
    await scenario.finish(await scenario.sent("w1"))
    running = await scenario.ask("second")
    task = await scenario.sent("w1")
    for seq in (1, 2):
        await scenario.append(task, seq, Delta("a"))
    waiting = await scenario.ask("third")
    jobs = await Overview(store).read_jobs([first.answer, running.answer, waiting.answer, "s0-unknown"])
    assert [(job.answer, job.state, job.seq) for job in jobs] == [
        (running.answer, "STREAMING", 2),
        (waiting.answer, "QUEUED", 0),
    ]
    assert all(job.accepted > 0 for job in jobs)
