"""Answers whose last reader has left are stopped after a while, but not those that somebody may come back for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.answering.abandonment import Abandonment
from tests.support.conditions import until
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.answers import Answers
from wire.jobs import IdempotencyKey
from wire.messages import Delta, Final
from wire.redis.store import Store
from wire.sessions import ClaimedJob, StatelessSession

pytestmark = [pytest.mark.anyio, pytest.mark.both_stores]


@pytest.fixture
def scenario(store: Store) -> Scenario:
    return Scenario(store)


@asynccontextmanager
async def abandoning(scenario: Scenario, grace: float = 0.0) -> AsyncIterator[Abandonment]:
    abandonment = Abandonment(scenario.jobs, grace)
    yield abandonment
    await abandonment.close()


async def sent(scenario: Scenario, *, stateless: bool = True, once: IdempotencyKey | None = None) -> ClaimedJob:
    """Let a question be sent, and its answer begin."""
    await scenario.hire("w")
    await scenario.ask(once=once)
    task = await scenario.take("w")
    session = StatelessSession(b"kept", begins=True) if stateless else None
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True, stateless=session)
    await scenario.append(task, 1, Delta("so far"))
    return task


async def test_an_abandoned_answer_ends_with_the_text_so_far(scenario: Scenario) -> None:
    task = await sent(scenario)
    async with abandoning(scenario) as abandonment:
        abandonment.begin(task.answer)
        await until(lambda: stopped(scenario, task.answer), "the answer is stopped")
    assert (await scenario.events(task.answer))[-1] == Final("so far", reset=False, stopped=True)
    assert (await scenario.sessions.beat("w")).stopped_answers == [task.answer]


async def test_a_question_that_was_not_sent_ends_at_once(scenario: Scenario) -> None:
    await scenario.hire("w")
    question = await scenario.ask()
    assert await scenario.jobs.stop_abandoned(question.answer)
    assert await scenario.redis.zcard(keys.queued_key()) == 0
    assert await scenario.take_all("w") == []


async def test_what_an_upstream_remembers_continues(scenario: Scenario) -> None:
    task = await sent(scenario, stateless=False)
    assert not await scenario.jobs.stop_abandoned(task.answer)
    assert await scenario.state(task.answer) == "STREAMING"


async def test_what_was_asked_under_a_key_continues(scenario: Scenario) -> None:
    task = await sent(scenario, once=IdempotencyKey("name", "question"))
    assert not await scenario.jobs.stop_abandoned(task.answer)
    assert await scenario.state(task.answer) == "STREAMING"


async def test_what_is_followed_at_any_gateway_continues(scenario: Scenario) -> None:
    task = await sent(scenario)
    async with Answers(scenario.store) as answers, answers.follow(task.answer) as events:
        assert (await anext(events)).event == Delta("so far")
        assert not await scenario.jobs.stop_abandoned(task.answer)
    await until(lambda: scenario.jobs.stop_abandoned(task.answer), "nobody follows it")


async def test_a_gateway_that_goes_down_stops_nothing(scenario: Scenario) -> None:
    task = await sent(scenario)
    async with abandoning(scenario, grace=3600) as abandonment:
        abandonment.begin(task.answer)
    assert await scenario.state(task.answer) == "STREAMING"


async def stopped(scenario: Scenario, answer: str) -> bool:
    return await scenario.state(answer) == "STOPPED"
