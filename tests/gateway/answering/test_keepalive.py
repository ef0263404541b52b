"""One task keeps all waiting jobs alive, each on its own."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.answering.keepalive import QueueKeepAlive, WaitingJob
from tests.support.conditions import until
from tests.support.wire.scenario import Scenario
from wire.jobs import Jobs
from wire.messages import Failed
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.both_stores]


async def ended(scenario: Scenario, answer: str) -> bool:
    return any(isinstance(event, Failed) for event in await scenario.events(answer))


async def test_each_question_that_waits_too_long_is_ended(store: Store) -> None:
    """Also when there are more of them than one call renews."""
    scenario = Scenario(store)
    keep_alive = QueueKeepAlive(scenario.jobs, 0.05)
    jobs = [WaitingJob((await scenario.ask()).answer) for _ in range(60)]
    for job in jobs:
        keep_alive.add(job)
    for job in jobs:
        await until(lambda job=job: ended(scenario, job.answer))  # type: ignore[misc]
        keep_alive.remove(job)
    assert scenario.jobs.refusals["queue.timeout"] == 60


async def test_one_that_fails_does_not_end_the_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = Scenario(store)
    bad, good = [WaitingJob((await scenario.ask()).answer) for _ in range(2)]
    expiring = Jobs.expire

    async def expire(jobs: Jobs, answer: str) -> bool:
        if answer == bad.answer:
            raise ValueError("broken")
        return await expiring(jobs, answer)

    monkeypatch.setattr(Jobs, "expire", expire)
    keep_alive = QueueKeepAlive(scenario.jobs, 0.05)
    with capture_logs() as lines:
        keep_alive.add(bad)
        keep_alive.add(good)
        await until(lambda: ended(scenario, good.answer))
    assert [line["answer"] for line in lines if line["log_level"] == "error"] == [bad.answer]
    for job in (bad, good):
        keep_alive.remove(job)


async def test_at_rest_there_is_no_task_and_no_timer(store: Store) -> None:
    before = asyncio.all_tasks()
    keep_alive = QueueKeepAlive(Scenario(store).jobs, 60)
    one, other = WaitingJob("s0-a"), WaitingJob("s0-b")
    for job in (one, other):
        keep_alive.add(job)
    timer = keep_alive._timer
    assert timer is not None
    keep_alive.remove(one)
    assert not timer.cancelled()
    keep_alive.remove(other)
    assert timer.cancelled()
    assert asyncio.all_tasks() == before


async def test_the_task_that_looks_after_jobs_ends_with_the_last_of_them(store: Store) -> None:
    before = asyncio.all_tasks()
    keep_alive = QueueKeepAlive(Scenario(store).jobs, 60, away_pause=0.01)
    job = WaitingJob("s0-a")
    looks = 0

    async def look(answer: str) -> bool:
        assert answer == job.answer
        nonlocal looks
        looks += 1
        await asyncio.Event().wait()
        return True

    keep_alive._jobs.keep_alive = look  # type: ignore[method-assign]
    keep_alive.add(job)
    job.due = 0.0
    await until(lambda: has(looks == 1))
    keep_alive.remove(job)
    await until(lambda: has(asyncio.all_tasks() == before))


async def has(condition: bool) -> bool:
    return condition
