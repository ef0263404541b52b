"""Jobs that nobody waits for any more are given up, as long as they cost nothing."""

from collections.abc import AsyncIterator

import pytest

from tests.wire.scene import RepeatingStore, Scene
from wire import keys
from wire.connect import Store
from wire.ends import CANCELLED
from wire.errors import AnswerEndedError
from wire.jobs import Once
from wire.limits import Limits
from wire.messages import Final
from wire.sessions import Task

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[Store, RepeatingStore])
async def scene(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scene]:
    store = request.param(store_url)
    scene = Scene(store)
    await scene.hire("w", may_judge=True)
    yield scene
    await store.close()


async def leave(scene: Scene, answer: str) -> None:
    """Nobody has followed the answer for FOLLOW_GRACE."""
    await scene.redis.hset(keys.job_key(answer), "followed_until", 1)


async def heard_for(scene: Scene, worker: str, ms: int) -> None:
    """The worker's heartbeat has come without a gap for so long."""
    now = int(await scene.redis.hget(keys.worker_key(worker), "last"))
    await scene.redis.hset(keys.worker_key(worker), "since", now - ms)


async def test_a_job_that_nobody_follows_is_cancelled_unspent_and_makes_way(scene: Scene) -> None:
    first = await scene.ask("first")
    second = await scene.ask("second", first.token)
    await leave(scene, first.answer)
    assert (await scene.take("w")).answer == second.answer
    assert await scene.events(first.answer) == [CANCELLED]
    assert not CANCELLED.reset
    assert await scene.redis.zcard(keys.queued_key()) == 0
    assert not await scene.redis.hexists(keys.job_key(first.answer), "attempts")


async def test_a_job_that_is_followed_waits_on(scene: Scene) -> None:
    asked = await scene.ask()
    await leave(scene, asked.answer)
    assert await scene.jobs.follow(asked.answer)
    assert (await scene.take("w")).answer == asked.answer


async def test_following_holds_for_the_grace(store_url: str) -> None:
    store = Store(store_url)
    scene = Scene(store, Limits(follow_grace=7.0))
    await scene.hire("w", may_judge=True)
    asked = await scene.ask()
    accepted, until = await scene.redis.hmget(keys.job_key(asked.answer), "accepted", "followed_until")
    assert int(until) - int(accepted) == 7000
    await leave(scene, asked.answer)
    await scene.jobs.follow(asked.answer)
    assert int(await scene.redis.hget(keys.job_key(asked.answer), "followed_until")) >= int(until)
    await store.close()


async def test_only_a_job_that_waits_needs_to_be_followed(scene: Scene) -> None:
    asked = await scene.ask()
    assert await scene.jobs.follow(asked.answer)
    task = await scene.take("w")
    assert await scene.jobs.follow(asked.answer)
    await scene.sessions.mark_sent(task, 1, 1, fresh=True)
    assert not await scene.jobs.follow(asked.answer)
    await scene.finish(task)
    assert not await scene.jobs.follow(asked.answer)
    assert not await scene.jobs.follow("s0-unknown")


async def test_a_claimed_job_that_nobody_follows_is_not_sent(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.take("w")
    await leave(scene, asked.answer)
    with pytest.raises(AnswerEndedError):
        await scene.sessions.mark_sent(task, 1, 1, fresh=True)
    assert await scene.events(asked.answer) == [CANCELLED]
    assert await scene.finish(task, session=None) is None


async def test_a_token_next_job_that_nobody_follows_is_skipped(scene: Scene) -> None:
    first = await scene.ask("first")
    second = await scene.ask("second", first.token)
    third = await scene.ask("third", first.token)
    task = await scene.sent("w")
    await leave(scene, second.answer)
    following = await scene.finish(task)
    assert isinstance(following, Task)
    assert following.answer == third.answer
    assert await scene.events(second.answer) == [CANCELLED]


async def test_a_question_that_was_refused_once_is_not_cancelled(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.sent("w")
    await scene.sessions.refused(task, 1)
    await leave(scene, asked.answer)
    await scene.sessions.mark_sent(task, 2, 1, fresh=True)
    await scene.finish(task)
    assert await scene.events(asked.answer) == [Final("done")]


@pytest.mark.parametrize(("heard", "state"), [(9_000, "CLAIMED"), (16_000, "FAILED")])
async def test_only_a_worker_that_was_heard_all_along_cancels(scene: Scene, heard: int, state: str) -> None:
    """After a pause of Redis the gateways have the time to say what they follow."""
    scene = Scene(scene.store, Limits(lease_ttl=1.0 if heard < 10_000 else 15.0))
    await scene.hire("w")
    await heard_for(scene, "w", heard)
    asked = await scene.ask()
    await leave(scene, asked.answer)
    await scene.sessions.claim("w", await scene.hint("w"))
    assert await scene.state(asked.answer) == state


async def test_a_job_under_an_idempotency_key_is_never_cancelled(scene: Scene) -> None:
    asked = await scene.ask(once=Once("name", "question"))
    assert not await scene.jobs.follow(asked.answer)
    assert not await scene.redis.hexists(keys.job_key(asked.answer), "followed_until")
    assert (await scene.take("w")).answer == asked.answer
