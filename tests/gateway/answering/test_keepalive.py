"""All questions that wait are attended by one task, and each on its own."""

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
    attendance = QueueKeepAlive(scenario.jobs, 0.05)
    attended = [WaitingJob((await scenario.ask()).answer) for _ in range(60)]
    for one in attended:
        attendance.begin(one)
    for one in attended:
        await until(lambda one=one: ended(scenario, one.answer))  # type: ignore[misc]
        attendance.end(one)
    assert scenario.jobs.refusals["queue.timeout"] == 60


async def test_one_that_cannot_be_attended_leaves_the_others_to_be(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = Scenario(store)
    bad, good = [WaitingJob((await scenario.ask()).answer) for _ in range(2)]
    expiring = Jobs.expire

    async def expire(jobs: Jobs, answer: str) -> bool:
        if answer == bad.answer:
            raise ValueError("broken")
        return await expiring(jobs, answer)

    monkeypatch.setattr(Jobs, "expire", expire)
    attendance = QueueKeepAlive(scenario.jobs, 0.05)
    with capture_logs() as lines:
        attendance.begin(bad)
        attendance.begin(good)
        await until(lambda: ended(scenario, good.answer))
    assert [line["answer"] for line in lines if line["log_level"] == "error"] == [bad.answer]
    for one in (bad, good):
        attendance.end(one)


async def test_at_rest_there_is_no_task(store: Store) -> None:
    before = asyncio.all_tasks()
    attendance = QueueKeepAlive(Scenario(store).jobs, 60)
    one, other = WaitingJob("s0-a"), WaitingJob("s0-b")
    for attended in (one, other):
        attendance.begin(attended)
    (task,) = asyncio.all_tasks() - before
    attendance.end(one)
    assert asyncio.all_tasks() - before == {task}
    attendance.end(other)
    await asyncio.wait([task])
    assert asyncio.all_tasks() == before
