"""The backlog, as one look finds it."""

import pytest

from tests.support.wire.scenario import Scenario
from wire import keys
from wire.jobs import Client
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


async def test_clients_that_wait_are_counted_and_how_long_the_first_has(scenario: Scenario) -> None:
    for _ in range(3):
        await scenario.ask(client=Client("alice"))
    stats = await read_queue_stats(scenario.store)
    assert (stats.clients, stats.waiting) == (1, 3)
    assert 0 <= stats.client_wait < 5
    await scenario.redis.rpush(keys.ring_key(), "bob")
    await scenario.redis.xadd(keys.line_key("bob"), {"t": "of bob"}, id="1-0")
    stats = await read_queue_stats(scenario.store)
    assert stats.clients == 2
    assert stats.client_wait > 365 * 86400


async def test_free_places_are_those_of_live_workers(scenario: Scenario) -> None:
    for worker, free in (("w1", 3), ("w2", 4), ("w3", 5)):
        await scenario.sessions.beat(worker, free=free)
    await scenario.kill("w3")
    assert (await read_queue_stats(scenario.store)).free == 7
    await scenario.sessions.beat("w2", free=0)
    assert (await read_queue_stats(scenario.store)).free == 3
