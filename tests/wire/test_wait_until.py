"""A job waits in the queue only so long, whether anybody follows it or not."""

from collections.abc import AsyncIterator

import pytest

from gateway.settings import GatewaySettings
from tests.support.wire.scenario import RepeatingStore, Scenario
from wire import keys
from wire.jobs import IdempotencyKey
from wire.messages import Failed, Final
from wire.reasons import Reason
from wire.redis.store import Store
from wire.terminal_events import TO_BE_MEASURED

pytestmark = pytest.mark.anyio

ONCE = IdempotencyKey("name", "question")


@pytest.fixture(params=[Store, RepeatingStore])
async def scenario(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scenario]:
    store = request.param(store_url)
    scenario = Scenario(store)
    await scenario.hire("w", may_judge=True)
    yield scenario
    await store.close()


async def wait_too_long(scenario: Scenario, answer: str) -> None:
    await scenario.redis.hset(keys.job_key(answer), "wait_until", 1)
    # Others may have been accepted in the same millisecond.
    await scenario.redis.zadd(keys.queued_key(), {answer: 1})


async def end_of(scenario: Scenario, answer: str) -> Failed:
    (end,) = await scenario.events(answer)
    assert isinstance(end, Failed)
    return end


async def test_the_limit_is_the_queue_timeout(store_url: str) -> None:
    store = Store(store_url)
    scenario = Scenario(store, GatewaySettings(queue_timeout=7.5))
    question = await scenario.ask()
    accepted, until = await scenario.redis.hmget(keys.job_key(question.answer), "accepted", "wait_until")
    assert int(until) - int(accepted) == 7500
    await store.close()


@pytest.mark.parametrize("once", [None, ONCE])
async def test_a_claim_ends_what_waited_too_long_and_takes_the_next(
    scenario: Scenario, once: IdempotencyKey | None
) -> None:
    first = await scenario.ask("first", once=once)
    second = await scenario.ask("second", first.token)
    await wait_too_long(scenario, first.answer)
    assert (await scenario.take("w")).answer == second.answer
    end = await end_of(scenario, first.answer)
    assert (end.reason, end.reset) == (Reason.QUEUE_TIMEOUT, False)
    assert end.retry_after is not None
    assert 1 <= end.retry_after <= 60 < TO_BE_MEASURED
    assert await scenario.redis.zcard(keys.queued_key()) == 0


@pytest.mark.parametrize("once", [None, ONCE])
async def test_a_heartbeat_ends_what_no_worker_asks_for(scenario: Scenario, once: IdempotencyKey | None) -> None:
    late, waiting = await scenario.ask("late", once=once), await scenario.ask("waiting")
    await wait_too_long(scenario, late.answer)
    await scenario.sessions.beat("w")
    assert (await end_of(scenario, late.answer)).reason == Reason.QUEUE_TIMEOUT
    assert await scenario.state(waiting.answer) == "QUEUED"


async def test_a_question_that_waited_too_long_may_be_asked_again_under_its_key(scenario: Scenario) -> None:
    late = await scenario.ask(once=ONCE)
    await wait_too_long(scenario, late.answer)
    await scenario.sessions.beat("w")
    again = await scenario.ask(token=late.token, once=ONCE)
    assert again.answer != late.answer


async def test_only_a_worker_that_was_heard_all_along_ends_it(store_url: str) -> None:
    store = Store(store_url)
    scenario = Scenario(store)
    question = await scenario.ask()
    await wait_too_long(scenario, question.answer)
    await scenario.hire("w")
    await scenario.sessions.beat("w")
    assert await scenario.state(question.answer) == "QUEUED"
    await store.close()


async def test_a_job_that_was_claimed_may_wait_for_an_account(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.take("w")
    await wait_too_long(scenario, question.answer)
    await scenario.sessions.beat("w")
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    await scenario.finish(task)
    assert await scenario.events(question.answer) == [Final("done")]
