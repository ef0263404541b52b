"""A worker takes over what a dead one left, by itself."""

import pytest
from structlog.testing import capture_logs

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.worker.harness import Away, Client, WorkerHarness
from tests.support.worker.running_worker import serving
from tests.support.worker.scripted_provider import ScriptedProvider
from wire import keys
from wire.jobs import new_token
from wire.terminal_events import INTERRUPTED

pytestmark = [pytest.mark.anyio, pytest.mark.both_stores]


async def test_a_dead_workers_answers_end_without_another_question(client: Client, harness: WorkerHarness) -> None:
    sent = await harness.task("one", new_token())
    await harness.sessions.mark_sent(sent, 1, 1, fresh=True)
    claimed = await harness.task("two", new_token())
    await redis_client(client.store).delete(keys.worker_key("desk"))
    with capture_logs() as logs:
        async with serving(client.store, ScriptedProvider(), lease_ttl=1.0):
            assert await client.end(sent.answer) == INTERRUPTED
            assert await client.text(claimed.answer) == "you asked: two"
    assert [line["dead"] for line in logs if "died" in line["event"]] == ["desk"]


async def test_the_reaper_outlives_a_redis_that_is_away(client: Client, harness: WorkerHarness) -> None:
    task = await harness.task("one", new_token())
    await redis_client(client.store).delete(keys.worker_key("desk"))
    client.store.before["reap"] = Away(2)
    async with serving(client.store, ScriptedProvider(), lease_ttl=1.0):
        assert await client.text(task.answer) == "you asked: one"
        await until(lambda: client.store.tried["reap"] >= 3)
