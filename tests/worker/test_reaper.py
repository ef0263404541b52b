"""A worker takes over what a dead one left, by itself."""

import pytest
from structlog.testing import capture_logs

from tests.worker.desk import Away, Client, Desk, until
from tests.worker.scripted import Scripted
from tests.worker.serving import serving
from wire import keys
from wire.ends import INTERRUPTED
from wire.jobs import new_token

pytestmark = pytest.mark.anyio


async def test_a_dead_workers_answers_end_without_another_question(client: Client, desk: Desk) -> None:
    sent = await desk.task("one", new_token())
    await desk.sessions.mark_sent(sent, 1, 1, fresh=True)
    claimed = await desk.task("two", new_token())
    await client.store.commands.delete(keys.worker_key("desk"))
    with capture_logs() as logs:
        async with serving(client.store, Scripted(), lease_ttl=1.0):
            assert await client.end(sent.answer) == INTERRUPTED
            assert await client.text(claimed.answer) == "you asked: two"
    assert [line["dead"] for line in logs if "died" in line["event"]] == ["desk"]


async def test_the_reaper_outlives_a_redis_that_is_away(client: Client, desk: Desk) -> None:
    task = await desk.task("one", new_token())
    await client.store.commands.delete(keys.worker_key("desk"))
    client.store.before["reap"] = Away(2)
    async with serving(client.store, Scripted(), lease_ttl=1.0):
        assert await client.text(task.answer) == "you asked: one"
        await until(lambda: client.store.tried["reap"] >= 3)
