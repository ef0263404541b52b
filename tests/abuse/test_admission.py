"""Who may wait: nobody fills the queue for the others, and nothing waits for ever."""

from pathlib import Path

import pytest

from tests.support.abuse.crowd import Crowd, crowd_at
from tests.support.conditions import until
from tests.support.faults.history import Exchange
from wire import keys

pytestmark = [pytest.mark.anyio, pytest.mark.abuse]


async def fill_queue(crowd: Crowd, name: str) -> list[Exchange]:
    """Let a client ask until it is refused, and return what was."""
    await crowd.join(name)
    before, asked = crowd.queued, crowd.ask(name, count=40)

    def refused() -> list[Exchange]:
        return [exchange for exchange in asked if exchange.ended is not None]

    await until(lambda: crowd.queued - before + len(refused()) == len(asked), "all are accepted or refused")
    return refused()


@pytest.mark.sample
async def test_two_clients_that_fill_the_queue_leave_room_for_a_third(tmp_path: Path) -> None:
    async with crowd_at(tmp_path, settings={"WORKER_SLOTS": "2", "QUEUE_LIMIT": "40"}) as crowd:
        held = await crowd.fill(2)
        for name in ("first", "second"):
            refused = await fill_queue(crowd, name)
            assert refused
            assert {exchange.status for exchange in refused} == {429}
            assert all(int(exchange.headers["retry-after"]) >= 1 for exchange in refused)
        await crowd.join("third")
        accepted = crowd.ask("third")
        await until(lambda: crowd.cluster.job(accepted[0].question), "it is accepted")
        await crowd.release(held)
        await crowd.ended("third", accepted)
        assert accepted[0].code == 200


async def test_questions_that_nobody_follows_end_without_any_worker(tmp_path: Path) -> None:
    """They have Idempotency-Keys, so that their clients might come back; once too old, they are never asked."""
    settings = {"QUEUE_TIMEOUT": "4", "WORKER_SLOTS": "1"}
    async with crowd_at(tmp_path, settings=settings) as crowd:
        await crowd.fill(1)
        crowd.cluster.workers[0].kill()
        await crowd.join("big")
        asked = crowd.ask("big", count=10, keyed=True)
        await crowd.waiting(10)
        crowd.leave("big", asked)
        await crowd.waiting(0)
        # Of the one whose worker was killed, which no worker could notice.
        assert len(crowd.cluster.names(keys.client_key("*"))) == 1
        crowd.cluster.start()
        await crowd.join("small")
        assert [exchange.code for exchange in await crowd.answers("small")] == [200]
        assert crowd.order() == ["small"]
