"""The backlog, as one look finds it."""

import pytest

from tests.support.wire.scenario import Scenario
from wire.queue_stats import QueueStats, read_queue_stats

pytestmark = pytest.mark.anyio


async def test_an_empty_redis_has_no_backlog(scenario: Scenario) -> None:
    assert await read_queue_stats(scenario.store) == QueueStats(0, 0.0, 0)


async def test_what_waits_is_counted_and_who_could_work_on_it(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    await scenario.ask()
    await scenario.ask()
    stats = await read_queue_stats(scenario.store)
    assert (stats.waiting, stats.workers) == (2, 2)
    assert 0 <= stats.oldest < 5


async def test_a_worker_without_an_account_could_not_work_on_it(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.sessions.beat("w1", takes_work=False)
    assert (await read_queue_stats(scenario.store)).workers == 0


async def test_what_was_claimed_does_not_wait(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.ask()
    await scenario.take("w1")
    assert (await read_queue_stats(scenario.store)).waiting == 0
