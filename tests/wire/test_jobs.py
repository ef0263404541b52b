"""Jobs are accepted once, refused with a reason, and expire only while they wait."""

import pytest

from tests.wire.scene import Scene
from wire import keys
from wire.connect import Store
from wire.errors import BadMessageError, QueueFullError, TokenUnknownError
from wire.jobs import BUSY, new_answer_id, new_token
from wire.limits import Limits
from wire.messages import Chat, Failed, Final

pytestmark = pytest.mark.anyio


def test_ids_are_unguessable_and_name_their_shard() -> None:
    ids = {new_answer_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(id_.startswith("s0-") and len(id_) == 35 for id_ in ids)
    assert len({new_token() for _ in range(100)}) == 100


async def test_the_same_job_again_is_the_existing_one(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    for _ in range(2):
        await scene.jobs.submit(asked.answer, Chat("balanced", "hello"), asked.token, create=False)
    await scene.finish(await scene.take("w1"))
    await scene.jobs.submit(asked.answer, Chat("balanced", "hello"), asked.token, create=True)
    assert await scene.hints("w1") == []
    assert await scene.events(asked.answer) == [Final("done")]


async def test_an_unknown_token_is_refused_and_leaves_nothing(scene: Scene) -> None:
    with pytest.raises(TokenUnknownError):
        await scene.ask("hello", new_token())
    assert await scene.redis.keys("*") == []


async def test_a_full_queue_refuses_and_says_when_to_come_back(store: Store) -> None:
    scene = Scene(store, Limits(queue_limit=2))
    await scene.hire("w1")
    first, second = await scene.ask(), await scene.ask()
    token, answer = new_token(), new_answer_id()
    with pytest.raises(QueueFullError) as refused:
        await scene.jobs.submit(answer, Chat("balanced", "third"), token, create=True)
    assert refused.value.retry_after > 0
    assert await scene.redis.exists(keys.job_key(answer), keys.token_key(token)) == 0
    # What was accepted before is not refused now.
    await scene.jobs.submit(second.answer, Chat("balanced", "hello"), second.token, create=True)
    assert await scene.jobs.expire(first.answer)
    third = await scene.ask()
    (_, *hints) = await scene.hints("w1")
    await scene.sessions.claim("w1", hints[0])
    await scene.ask()
    with pytest.raises(QueueFullError):
        await scene.ask()
    assert await scene.state(third.answer) == "QUEUED"


async def test_jobs_that_nobody_will_ever_take_leave_the_queue(store: Store) -> None:
    scene = Scene(store, Limits(queue_limit=1, session_ttl=100))
    await scene.redis.zadd(keys.queued_key(), {"s0-old": 1})
    await scene.ask()
    with pytest.raises(QueueFullError):
        await scene.ask()


async def test_a_job_expires_once_and_only_while_it_waits(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    assert await scene.jobs.expire(asked.answer)
    assert not await scene.jobs.expire(asked.answer)
    (event,) = await scene.events(asked.answer)
    assert isinstance(event, Failed)
    assert (event.code, event.message, event.reset) == (503, BUSY, False)
    assert event.retry_after
    assert await scene.redis.zcard(keys.queued_key()) == 0


@pytest.mark.parametrize("state", ["CLAIMED", "SENT", "STREAMING", "DONE"])
async def test_a_job_that_was_taken_does_not_expire(scene: Scene, state: str) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    await scene.take("w1")
    await scene.redis.hset(keys.job_key(asked.answer), "state", state)
    assert not await scene.jobs.expire(asked.answer)
    assert await scene.events(asked.answer) == []


async def test_an_unknown_job_does_not_expire(scene: Scene) -> None:
    assert not await scene.jobs.expire("s0-none")
    assert await scene.redis.keys("*") == []


async def test_a_question_that_is_no_text_is_refused(scene: Scene) -> None:
    with pytest.raises(BadMessageError):
        await scene.ask("\ud800")
