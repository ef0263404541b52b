"""The reaper: what a dead worker left goes on without anybody's next question."""

from collections.abc import AsyncIterator

import pytest

from tests.wire.scene import RepeatingStore, Scene
from wire import keys
from wire.connect import Store
from wire.ends import INTERRUPTED, POISON
from wire.errors import LeaseLostError
from wire.messages import Final

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[Store, RepeatingStore])
async def scene(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scene]:
    store = request.param(store_url)
    scene = Scene(store)
    await scene.hire("dead", "other")
    await scene.hire("live", may_judge=True)
    yield scene
    await store.close()


async def test_a_dead_workers_unsent_job_is_scheduled_for_others(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.take("dead")
    await scene.kill("dead")
    assert await scene.sessions.dead_workers() == ["dead"]
    assert await scene.sessions.reap("live", "dead") == 0
    task = await scene.sent("other")
    assert task.answer == asked.answer
    await scene.finish(task)
    assert await scene.events(asked.answer) == [Final("done")]
    assert await scene.sessions.dead_workers() == []


async def test_a_dead_workers_sent_job_ends_interrupted_and_the_next_one_meets_a_fresh_conversation(
    scene: Scene,
) -> None:
    asked = await scene.ask()
    await scene.finish(await scene.sent("dead"), session=b'"saved"')
    broken = await scene.ask("second", asked.token)
    zombie = await scene.sent("dead")
    waiting = await scene.ask("third", asked.token)
    await scene.kill("dead")
    await scene.sessions.reap("live", "dead")
    assert await scene.events(broken.answer) == [INTERRUPTED]
    task = await scene.take("other")
    assert (task.answer, task.session, task.sent) == (waiting.answer, None, 0)
    with pytest.raises(LeaseLostError):
        await scene.finish(zombie)
    assert await scene.events(broken.answer) == [INTERRUPTED]


async def test_a_death_between_turns_costs_nothing(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.finish(await scene.sent("dead"), session=b'"saved"')
    await scene.kill("dead")
    assert await scene.sessions.reap("live", "dead") == 0
    second = await scene.ask("second", asked.token)
    task = await scene.take("other")
    assert (task.answer, task.session, task.reset) == (second.answer, b'"saved"', False)


async def test_an_entry_in_a_dead_workers_own_stream_is_not_lost(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.finish(await scene.sent("dead"))
    second = await scene.ask("second", asked.token)
    await scene.kill("dead")
    await scene.sessions.reap("live", "dead")
    assert (await scene.take("other")).answer == second.answer
    assert not await scene.redis.exists(keys.own_stream("dead"))


async def test_a_job_that_costs_two_workers_their_lives_is_given_up(scene: Scene) -> None:
    asked = await scene.ask()
    for victim in ("dead", "other"):
        await scene.take(victim)
        await scene.kill(victim)
        await scene.sessions.reap("live", victim)
    assert await scene.events(asked.answer) == [POISON]
    assert await scene.hints("live") == []
    assert await scene.redis.zcard(keys.queued_key()) == 0


async def test_tokens_are_taken_over_in_bounded_batches(scene: Scene) -> None:
    asked = [await scene.ask(str(number)) for number in range(120)]
    for entry in [*await scene.hints("dead"), *await scene.hints("dead")]:
        await scene.sessions.claim("dead", entry)
    await scene.kill("dead")
    left = await scene.sessions.reap("live", "dead")
    while left:
        left = await scene.sessions.reap("live", "dead")
    states = [await scene.state(one.answer) for one in asked]
    assert states == ["QUEUED"] * 120


async def test_a_session_that_was_ending_ends_with_its_dead_worker(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.sent("dead")
    await scene.sessions.end(asked.token)
    await scene.kill("dead")
    await scene.sessions.reap("live", "dead")
    assert await scene.events(asked.answer) == [INTERRUPTED]
    assert not await scene.redis.exists(keys.token_key(asked.token))


async def test_a_session_that_was_ending_ends_when_the_job_that_went_back_ends_without_a_turn(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.take("dead")
    await scene.sessions.end(asked.token)
    await scene.kill("dead")
    await scene.sessions.reap("live", "dead")
    await scene.jobs.expire(asked.answer)
    assert await scene.sessions.claim("live", await scene.hint("live")) == "nothing"
    assert not await scene.redis.exists(keys.token_key(asked.token))


async def test_a_living_worker_is_left_alone(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.sent("dead")
    assert await scene.sessions.reap("live", "dead") == -1
    await scene.finish(task)
    assert await scene.events(asked.answer) == [Final("done")]


async def test_a_worker_that_has_not_beaten_for_a_lease_may_not_reap(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.sent("dead")
    await scene.kill("dead")
    assert await scene.sessions.reap("other", "dead") == -1
    assert await scene.events(asked.answer) == []
    assert await scene.sessions.dead_workers() == ["dead"]


async def test_a_token_that_went_elsewhere_meanwhile_is_left_alone(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.take("dead")
    await scene.redis.hset(keys.token_key(asked.token), "owner", "other")
    await scene.kill("dead")
    assert await scene.sessions.reap("live", "dead") == 0
    assert await scene.redis.hget(keys.token_key(asked.token), "owner") == b"other"
