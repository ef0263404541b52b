"""The reaper: what a dead worker left continues without anybody's next question."""

from collections.abc import AsyncIterator

import pytest

from tests.support.wire.scenario import RepeatingStore, Scenario
from wire import keys
from wire.errors import LeaseLostError
from wire.messages import Final
from wire.redis.store import Store
from wire.terminal_events import INTERRUPTED, POISON

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[Store, RepeatingStore])
async def scenario(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scenario]:
    store = request.param(store_url)
    scenario = Scenario(store)
    await scenario.hire("dead", "other")
    await scenario.hire("live", may_judge=True)
    yield scenario
    await store.close()


async def test_a_dead_workers_unsent_job_is_scheduled_for_others(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.take("dead")
    await scenario.kill("dead")
    assert await scenario.sessions.list_dead_workers() == ["dead"]
    assert await scenario.sessions.reap("live", "dead") == 0
    task = await scenario.sent("other")
    assert task.answer == question.answer
    await scenario.finish(task)
    assert await scenario.events(question.answer) == [Final("done")]
    assert await scenario.sessions.list_dead_workers() == []


async def test_a_dead_workers_sent_job_ends_interrupted(
    scenario: Scenario,
) -> None:
    """The token's next job begins a fresh conversation."""
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("dead"), session=b'"saved"')
    broken = await scenario.ask("second", question.token)
    zombie = await scenario.sent("dead")
    waiting = await scenario.ask("third", question.token)
    await scenario.kill("dead")
    await scenario.sessions.reap("live", "dead")
    assert await scenario.events(broken.answer) == [INTERRUPTED]
    task = await scenario.take("other")
    assert (task.answer, task.session, task.sent) == (waiting.answer, None, 0)
    with pytest.raises(LeaseLostError):
        await scenario.finish(zombie)
    assert await scenario.events(broken.answer) == [INTERRUPTED]


async def test_a_death_between_turns_costs_nothing(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("dead"), session=b'"saved"')
    await scenario.kill("dead")
    assert await scenario.sessions.reap("live", "dead") == 0
    second = await scenario.ask("second", question.token)
    task = await scenario.take("other")
    assert (task.answer, task.session, task.reset) == (second.answer, b'"saved"', False)


async def test_an_entry_in_a_dead_workers_own_stream_is_not_lost(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("dead"))
    second = await scenario.ask("second", question.token)
    await scenario.kill("dead")
    await scenario.sessions.reap("live", "dead")
    assert (await scenario.take("other")).answer == second.answer
    assert not await scenario.redis.exists(keys.own_stream("dead"))


async def test_a_job_that_costs_two_workers_their_lives_is_given_up(scenario: Scenario) -> None:
    question = await scenario.ask()
    for victim in ("dead", "other"):
        await scenario.take(victim)
        await scenario.kill(victim)
        await scenario.sessions.reap("live", victim)
    assert await scenario.events(question.answer) == [POISON]
    assert await scenario.hints("live") == []
    assert await scenario.redis.zcard(keys.queued_key()) == 0


async def test_tokens_are_taken_over_in_bounded_batches(scenario: Scenario) -> None:
    questions = [await scenario.ask(str(number)) for number in range(120)]
    for entry in [*await scenario.hints("dead"), *await scenario.hints("dead")]:
        await scenario.sessions.claim("dead", entry)
    await scenario.kill("dead")
    left = await scenario.sessions.reap("live", "dead")
    while left:
        left = await scenario.sessions.reap("live", "dead")
    states = [await scenario.state(question.answer) for question in questions]
    assert states == ["QUEUED"] * 120


async def test_a_session_that_was_ending_ends_with_its_dead_worker(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.sent("dead")
    await scenario.sessions.end(question.token)
    await scenario.kill("dead")
    await scenario.sessions.reap("live", "dead")
    assert await scenario.events(question.answer) == [INTERRUPTED]
    assert not await scenario.redis.exists(keys.token_key(question.token))


async def test_an_ending_session_ends_with_a_returned_job_that_ends_without_a_turn(
    scenario: Scenario,
) -> None:
    question = await scenario.ask()
    await scenario.take("dead")
    await scenario.sessions.end(question.token)
    await scenario.kill("dead")
    await scenario.sessions.reap("live", "dead")
    await scenario.jobs.expire(question.answer)
    assert await scenario.sessions.claim("live", await scenario.hint("live")) == "nothing"
    assert not await scenario.redis.exists(keys.token_key(question.token))


async def test_a_living_worker_is_left_alone(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("dead")
    assert await scenario.sessions.reap("live", "dead") == -1
    await scenario.finish(task)
    assert await scenario.events(question.answer) == [Final("done")]


async def test_a_worker_that_has_not_beaten_for_a_lease_may_not_reap(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.sent("dead")
    await scenario.kill("dead")
    assert await scenario.sessions.reap("other", "dead") == -1
    assert await scenario.events(question.answer) == []
    assert await scenario.sessions.list_dead_workers() == ["dead"]


async def test_a_token_that_went_elsewhere_meanwhile_is_left_alone(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.take("dead")
    await scenario.redis.hset(keys.token_key(question.token), "owner", "other")
    await scenario.kill("dead")
    assert await scenario.sessions.reap("live", "dead") == 0
    assert await scenario.redis.hget(keys.token_key(question.token), "owner") == b"other"
