"""Jobs that nobody waits for any more are given up, as long as they cost nothing."""

from collections.abc import AsyncIterator

import pytest

from gateway.settings import GatewaySettings
from tests.support.wire.scenario import RepeatingStore, Scenario
from wire import keys
from wire.errors import AnswerEndedError
from wire.jobs import IdempotencyKey
from wire.messages import Final
from wire.redis.store import Store
from wire.terminal_events import CANCELLED

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[Store, RepeatingStore])
async def scenario(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scenario]:
    store = request.param(store_url)
    scenario = Scenario(store)
    await scenario.hire("w", may_judge=True)
    yield scenario
    await store.close()


async def leave(scenario: Scenario, answer: str) -> None:
    """Nobody has followed the answer for FOLLOW_GRACE."""
    await scenario.redis.hset(keys.job_key(answer), "followed_until", 1)


async def heard_for(scenario: Scenario, worker: str, ms: int) -> None:
    """Make the worker's heartbeat as old as that, without a gap."""
    now = int(await scenario.redis.hget(keys.worker_key(worker), "last"))
    await scenario.redis.hset(keys.worker_key(worker), "since", now - ms)


async def test_a_job_that_nobody_follows_is_cancelled_unspent_and_makes_way(scenario: Scenario) -> None:
    first = await scenario.ask("first")
    second = await scenario.ask("second", first.token)
    await leave(scenario, first.answer)
    assert (await scenario.take("w")).answer == second.answer
    assert await scenario.events(first.answer) == [CANCELLED]
    assert not CANCELLED.reset
    assert await scenario.redis.zcard(keys.queued_key()) == 0
    assert not await scenario.redis.hexists(keys.job_key(first.answer), "attempts")


async def test_a_job_that_is_followed_waits_on(scenario: Scenario) -> None:
    question = await scenario.ask()
    await leave(scenario, question.answer)
    assert await scenario.jobs.keep_alive(question.answer)
    assert (await scenario.take("w")).answer == question.answer


async def test_following_holds_for_the_grace(store_url: str) -> None:
    store = Store(store_url)
    scenario = Scenario(store, GatewaySettings(follow_grace=7.0))
    await scenario.hire("w", may_judge=True)
    question = await scenario.ask()
    accepted, until = await scenario.redis.hmget(keys.job_key(question.answer), "accepted", "followed_until")
    assert int(until) - int(accepted) == 7000
    await leave(scenario, question.answer)
    await scenario.jobs.keep_alive(question.answer)
    assert int(await scenario.redis.hget(keys.job_key(question.answer), "followed_until")) >= int(until)
    await store.close()


async def test_only_a_job_that_waits_needs_to_be_followed(scenario: Scenario) -> None:
    question = await scenario.ask()
    assert await scenario.jobs.keep_alive(question.answer)
    task = await scenario.take("w")
    assert await scenario.jobs.keep_alive(question.answer)
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    assert not await scenario.jobs.keep_alive(question.answer)
    await scenario.finish(task)
    assert not await scenario.jobs.keep_alive(question.answer)
    assert not await scenario.jobs.keep_alive("s0-unknown")


async def test_a_claimed_job_that_nobody_follows_is_not_sent(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.take("w")
    await leave(scenario, question.answer)
    with pytest.raises(AnswerEndedError):
        await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    assert await scenario.events(question.answer) == [CANCELLED]
    assert not await scenario.finish(task, session=None)


async def test_a_token_next_job_that_nobody_follows_is_skipped(scenario: Scenario) -> None:
    first = await scenario.ask("first")
    second = await scenario.ask("second", first.token)
    third = await scenario.ask("third", first.token)
    task = await scenario.sent("w")
    await leave(scenario, second.answer)
    assert await scenario.finish(task)
    assert (await scenario.take("w")).answer == third.answer
    assert await scenario.events(second.answer) == [CANCELLED]


async def test_a_question_that_was_refused_once_is_not_cancelled(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    await scenario.sessions.record_refusal(task, 1)
    await leave(scenario, question.answer)
    await scenario.sessions.mark_sent(task, 2, 1, fresh=True)
    await scenario.finish(task)
    assert await scenario.events(question.answer) == [Final("done")]


@pytest.mark.parametrize(("heard", "state"), [(9_000, "CLAIMED"), (16_000, "FAILED")])
async def test_only_a_worker_that_was_heard_all_along_cancels(scenario: Scenario, heard: int, state: str) -> None:
    """After a pause of Redis the gateways have the time to say what they follow."""
    scenario = Scenario(scenario.store, lease_ttl=1.0 if heard < 10_000 else 15.0)
    await scenario.hire("w")
    await heard_for(scenario, "w", heard)
    question = await scenario.ask()
    await leave(scenario, question.answer)
    await scenario.turns("w")
    assert await scenario.state(question.answer) == state


async def test_a_job_under_an_idempotency_key_is_never_cancelled(scenario: Scenario) -> None:
    question = await scenario.ask(once=IdempotencyKey("name", "question"))
    assert not await scenario.jobs.keep_alive(question.answer)
    assert not await scenario.redis.hexists(keys.job_key(question.answer), "followed_until")
    assert (await scenario.take("w")).answer == question.answer
