"""What has waited for too long ends also while no worker lives."""

from collections.abc import AsyncIterator

import pytest

from gateway.settings import GatewaySettings
from tests.support.wire.scenario import Asked, RepeatingStore, Scenario
from wire import keys
from wire.errors import QueueFullError
from wire.jobs import Client, IdempotencyKey
from wire.messages import Failed
from wire.reasons import Reason
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

ONCE = IdempotencyKey("name", "question")
CLIENT = Client("address:1")


@pytest.fixture(params=[Store, RepeatingStore])
async def scenario(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scenario]:
    store = request.param(store_url)
    yield Scenario(store)
    await store.close()


async def now(scenario: Scenario) -> int:
    """Return Redis's time in ms."""
    seconds, micros = await scenario.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def waited_too_long(scenario: Scenario, *questions: Asked, by: float = 60.0) -> None:
    """Let the questions have waited for so many seconds longer than they may, in this order."""
    until = await now(scenario) - int(by * 1000)
    for number, question in enumerate(questions):
        await scenario.redis.hset(keys.job_key(question.answer), "wait_until", until)
        await scenario.redis.zadd(keys.queued_key(), {question.answer: until + number})


async def looked(scenario: Scenario, seconds: float) -> None:
    """Let gateways have looked without a gap for so many seconds until now."""
    last = await now(scenario)
    await scenario.redis.hset(keys.looks_key(), mapping={"since": last - int(seconds * 1000), "last": last})


@pytest.mark.parametrize("once", [None, ONCE])
async def test_what_has_waited_too_long_ends_without_a_worker(scenario: Scenario, once: IdempotencyKey | None) -> None:
    late, waiting = await scenario.ask(client=CLIENT, once=once), await scenario.ask()
    await waited_too_long(scenario, late)
    await looked(scenario, 11)
    await scenario.jobs.sweep()
    (end,) = await scenario.events(late.answer)
    assert isinstance(end, Failed)
    assert (end.reason, end.reset) == (Reason.QUEUE_TIMEOUT, False)
    assert end.retry_after is not None
    assert 1 <= end.retry_after <= 60
    assert await scenario.state(waiting.answer) == "QUEUED"
    assert await scenario.redis.exists(keys.client_key(CLIENT.name), keys.idem_key(ONCE.name)) == 0


async def test_nothing_ends_before_gateways_have_looked_for_long(scenario: Scenario) -> None:
    late = await scenario.ask()
    await waited_too_long(scenario, late)
    await scenario.jobs.sweep()
    await scenario.jobs.sweep()
    assert await scenario.state(late.answer) == "QUEUED"
    await looked(scenario, 5)
    await scenario.jobs.sweep()
    assert await scenario.state(late.answer) == "QUEUED"
    await looked(scenario, 11)
    await scenario.jobs.sweep()
    assert await scenario.state(late.answer) == "FAILED"


async def test_nothing_ends_after_a_gap_of_looks(scenario: Scenario) -> None:
    """Redis was away, and who follows an answer could not look after it."""
    late = await scenario.ask()
    await waited_too_long(scenario, late)
    await scenario.redis.hset(keys.looks_key(), mapping={"since": 1, "last": await now(scenario) - 6000})
    for _ in range(2):
        await scenario.jobs.sweep()
    assert await scenario.state(late.answer) == "QUEUED"


async def test_looks_are_forgotten_soon(scenario: Scenario) -> None:
    await scenario.jobs.sweep()
    assert 0 < await scenario.redis.pttl(keys.looks_key()) <= 5000


async def test_workers_and_gateways_that_follow_it_have_the_time_to_end_it_before(scenario: Scenario) -> None:
    late = await scenario.ask()
    await looked(scenario, 60)
    await waited_too_long(scenario, late, by=5)
    await scenario.jobs.sweep()
    assert await scenario.state(late.answer) == "QUEUED"
    await waited_too_long(scenario, late, by=16)
    await scenario.jobs.sweep()
    assert await scenario.state(late.answer) == "FAILED"


async def test_a_question_that_was_taken_does_not_end(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.take("w1")
    await scenario.redis.hset(keys.job_key(question.answer), "wait_until", 1)
    await looked(scenario, 60)
    await scenario.jobs.sweep()
    assert await scenario.state(question.answer) == "CLAIMED"


async def test_a_few_end_at_a_time(store_url: str) -> None:
    store = Store(store_url)
    scenario = Scenario(store)
    questions = [await scenario.ask() for _ in range(25)]
    await waited_too_long(scenario, *questions)
    await looked(scenario, 60)
    for left in (5, 0):
        await scenario.jobs.sweep()
        assert await scenario.redis.zcard(keys.queued_key()) == left
    await store.close()


@pytest.mark.parametrize(("seconds", "gap", "accepted"), [(11, 0, True), (5, 0, False), (60, 6, False)])
async def test_a_full_queue_makes_room_by_what_has_waited_too_long(
    store_url: str, seconds: float, gap: float, accepted: bool
) -> None:
    store = Store(store_url)
    scenario = Scenario(store, GatewaySettings(queue_limit=2))
    late, _ = await scenario.ask(), await scenario.ask()
    await waited_too_long(scenario, late)
    await looked(scenario, seconds)
    await scenario.redis.hincrby(keys.looks_key(), "last", int(-gap * 1000))
    if accepted:
        await scenario.ask()
    else:
        with pytest.raises(QueueFullError):
            await scenario.ask()
    assert await scenario.state(late.answer) == ("FAILED" if accepted else "QUEUED")
    await store.close()


async def test_what_ended_in_its_line_costs_no_turn(scenario: Scenario) -> None:
    late, waiting = await scenario.ask(), await scenario.ask()
    await waited_too_long(scenario, late)
    await looked(scenario, 60)
    await scenario.jobs.sweep()
    await scenario.hire("w1")
    assert (await scenario.take("w1")).answer == waiting.answer
    assert await scenario.redis.exists(keys.ring_key()) == 0
