"""Which worker's bell rings when there is work."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.wire.scenario import RepeatingStore, Scenario
from wire import keys
from wire.messages import Final
from wire.redis.store import Store
from wire.redis.subscriptions import Subscription, Subscriptions

pytestmark = pytest.mark.anyio

# Seconds of silence after which a subscription reports a gap: longer than any test.
PATIENT = 600.0
WORKERS = ("w1", "w2", "w3")


@pytest.fixture(params=[Store, RepeatingStore])
async def scenario(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scenario]:
    store = request.param(store_url)
    scenario = Scenario(store)
    await scenario.hire(*WORKERS, may_judge=True)
    yield scenario
    await store.close()


class Ear:
    """Hears the bells of all workers."""

    def __init__(self, scenario: Scenario, subscriptions: Subscriptions) -> None:
        self._redis = scenario.redis
        self._bells = {worker: subscriptions.add(keys.bell_channel(worker)) for worker in WORKERS}

    async def ready(self) -> None:
        """Wait for the gap with which each subscription begins."""
        for bell in self._bells.values():
            assert await bell.next() is None

    async def rings(self) -> list[tuple[str, int]]:
        """Return who was rung since the last call, and what for."""
        heard = []
        for worker, bell in self._bells.items():
            await self._redis.publish(keys.bell_channel(worker), "7 that was all")
            while (kind := await self._next(bell)) != 7:
                heard.append((worker, kind))
        return heard

    @staticmethod
    async def _next(bell: Subscription) -> int:
        ring = await bell.next()
        assert ring is not None
        return ring[0]


@pytest.fixture
async def ear(scenario: Scenario) -> AsyncIterator[Ear]:
    async with asyncio.timeout(30), Subscriptions(scenario.store, silence=PATIENT) as subscriptions:
        ear = Ear(scenario, subscriptions)
        await ear.ready()
        yield ear


async def places(scenario: Scenario, **free: int) -> None:
    """Let these workers have so many free places, and no others."""
    await scenario.redis.delete(keys.idle_key())
    for worker, count in free.items():
        await scenario.sessions.beat(worker, free=count)


async def free_places(scenario: Scenario) -> dict[str, int]:
    scores = await scenario.redis.zrange(keys.idle_key(), 0, -1, withscores=True)
    return {worker.decode(): int(score) for worker, score in scores}


async def test_the_worker_with_most_free_places_is_rung(scenario: Scenario, ear: Ear) -> None:
    await places(scenario, w1=1, w2=3)
    await scenario.ask()
    assert await ear.rings() == [("w2", 0)]
    assert await free_places(scenario) == {"w1": 1, "w2": 2}


async def test_each_question_that_waits_rings_one_bell_as_long_as_there_are_places(
    scenario: Scenario, ear: Ear
) -> None:
    await places(scenario, w1=1, w2=2)
    for _ in range(5):
        await scenario.ask()
    assert await ear.rings() == [("w1", 0), ("w2", 0), ("w2", 0)]
    assert await free_places(scenario) == {}


async def test_a_question_of_a_token_that_waits_or_runs_rings_nobody(scenario: Scenario, ear: Ear) -> None:
    question = await scenario.ask()
    await places(scenario, w1=3)
    await scenario.ask(token=question.token)
    task = await scenario.take("w1")
    await places(scenario, w1=3)
    await scenario.ask(token=question.token)
    assert await ear.rings() == []
    await scenario.finish(task, free=3)
    assert await ear.rings() == [("w1", 0)]


async def test_a_turns_end_has_the_places_that_are_free_when_it_is_sent(scenario: Scenario) -> None:
    """It first reads how full Redis is; turns that are taken meanwhile say how many places are free then."""
    await scenario.ask()
    task, places_free = await scenario.take("w1"), [0]
    ending = asyncio.create_task(
        scenario.sessions.finish(task, "DONE", Final("done"), b"{}", count_free=lambda: places_free[0])
    )
    await asyncio.sleep(0)
    places_free[0] = 3
    await ending
    assert await scenario.redis.zscore(keys.idle_key(), "w1") == 3


async def test_a_conversations_worker_is_rung_first(scenario: Scenario, ear: Ear) -> None:
    question = await scenario.ask()
    await scenario.finish(await scenario.take("w1"))
    await places(scenario, w1=1, w2=9)
    await scenario.ask("second", question.token)
    assert await ear.rings() == [("w1", 0)]


async def test_another_is_rung_if_a_conversations_worker_is_full(scenario: Scenario, ear: Ear) -> None:
    question = await scenario.ask()
    await scenario.finish(await scenario.take("w1"))
    await places(scenario, w2=1)
    await scenario.ask("second", question.token)
    assert await ear.rings() == [("w2", 0)]


@pytest.mark.parametrize("owned", [False, True])
async def test_the_dead_are_not_rung_and_lose_their_places(scenario: Scenario, ear: Ear, owned: bool) -> None:
    question = await scenario.ask()
    await scenario.finish(await scenario.take("w1"))
    await places(scenario, w1=9, w2=8, w3=2)
    await scenario.kill("w1")
    await scenario.kill("w2")
    if owned:
        await scenario.ask("second", question.token)
    else:
        await scenario.ask()
    assert await ear.rings() == [("w3", 0)]
    assert await free_places(scenario) == {"w3": 1}


async def test_nobody_is_rung_where_nobody_has_room(scenario: Scenario, ear: Ear) -> None:
    await places(scenario)
    await scenario.ask()
    assert await ear.rings() == []
    assert (await scenario.sessions.beat("w1", free=1)).waiting == 1


@pytest.mark.parametrize("way", ["release", "reap", "disclaim"])
async def test_what_comes_back_rings_another(scenario: Scenario, ear: Ear, way: str) -> None:
    await scenario.ask()
    task = await scenario.take("w1")
    await places(scenario, w2=2)
    match way:
        case "release":
            await scenario.sessions.release(task.lease)
        case "reap":
            await scenario.kill("w1")
            await scenario.sessions.reap("w2", "w1")
        case _:
            await scenario.sessions.disclaim(task.lease)
    assert await ear.rings() == [("w2", 0)]


async def test_a_stop_rings_the_worker_that_runs_the_answer(scenario: Scenario, ear: Ear) -> None:
    question, waiting = await scenario.ask(), await scenario.ask()
    await scenario.sent("w2")
    await scenario.jobs.stop(question.answer)
    assert await ear.rings() == [("w2", 1)]
    await scenario.jobs.stop(waiting.answer)
    assert await ear.rings() == []


async def test_taking_finishing_and_beating_say_how_many_places_are_free(scenario: Scenario) -> None:
    await scenario.turns("w1", 5)
    assert await free_places(scenario) == {"w1": 5}
    await scenario.ask()
    task, short = (await scenario.turns("w1", 5)).jobs[0]
    assert short
    assert await free_places(scenario) == {"w1": 4}
    await scenario.finish(task, free=5)
    assert await free_places(scenario) == {"w1": 5}
    await scenario.sessions.beat("w1", free=0)
    assert await free_places(scenario) == {}
    await scenario.sessions.beat("w1", free=2)
    await scenario.sessions.leave("w1")
    assert await free_places(scenario) == {}


async def test_a_worker_that_was_reaped_has_no_free_places(scenario: Scenario) -> None:
    await places(scenario, w1=2, w2=1)
    await scenario.kill("w1")
    await scenario.sessions.reap("w2", "w1")
    assert await free_places(scenario) == {"w2": 1}
