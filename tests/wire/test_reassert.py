"""A Redis that lost data: nobody goes on before all said what they hold, and what they say wins."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.wire.memory import forget_since, remember
from tests.wire.scene import RepeatingStore, Scene
from wire import keys
from wire.connect import Store
from wire.ends import STATE_LOST
from wire.errors import LeaseLostError, StateLostError, TokenUnknownError
from wire.messages import Delta, Failed, Final
from wire.sessions import Task

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[Store, RepeatingStore])
async def scene(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scene]:
    store = request.param(store_url)
    scene = Scene(store)
    await scene.hire("w", "other", may_judge=True)
    yield scene
    await store.close()


async def disclaimed(scene: Scene, worker: str) -> None:
    """The worker gives up all that Redis thinks it holds."""
    for lease in await scene.sessions.owned(worker):
        await scene.sessions.disclaim(lease)


async def restarted(scene: Scene) -> None:
    """Redis restarts; nothing is lost."""
    await forget_since(scene.store, await remember(scene.store))


async def passed(scene: Scene) -> None:
    """All workers have had the time to beat since Redis restarted."""
    await scene.sessions.beat("w")
    await scene.redis.hset(keys.run_key(), "at", 0)


async def test_a_beat_tells_of_a_restart_and_of_a_loss_of_everything_once(scene: Scene) -> None:
    before = (await scene.sessions.beat("w")).began
    assert (await scene.sessions.beat("w")).began == before
    await restarted(scene)
    after = (await scene.sessions.beat("w")).began
    assert after != before
    assert (await scene.sessions.beat("w")).began == after
    await scene.redis.flushall()
    assert await scene.redis.hget(keys.run_key(), "at") is None
    emptied = (await scene.sessions.beat("w")).began
    assert emptied >= after
    assert (await scene.sessions.beat("w")).began == emptied


async def test_after_a_restart_nobody_claims_before_all_could_beat(scene: Scene) -> None:
    asked = await scene.ask()
    await restarted(scene)
    entry = await scene.hint("other")
    assert await scene.sessions.claim("other", entry) == "wait"
    await passed(scene)
    task = await scene.sessions.claim("other", entry)
    assert isinstance(task, Task)
    assert task.answer == asked.answer


async def test_after_a_restart_nobody_reaps_before_all_could_beat(scene: Scene) -> None:
    await scene.ask()
    await scene.sent("w")
    await scene.kill("w")
    await restarted(scene)
    assert await scene.sessions.reap("other", "w") == -1
    await scene.redis.hset(keys.run_key(), "at", 0)
    assert await scene.sessions.reap("other", "w") == 0


async def test_after_a_restart_that_lost_nothing_a_turn_goes_on(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.sent("w")
    await scene.sessions.append(task, 1, Delta("a"))
    await restarted(scene)
    assert await scene.sessions.reassert(task.lease, task.answer, 1, 1)
    await scene.sessions.append(task, 2, Delta("b"))
    await scene.finish(task, "ab")
    assert await scene.events(asked.answer) == [Delta("a"), Delta("b"), Final("ab")]


async def test_a_question_whose_sending_was_forgotten_is_not_asked_again(scene: Scene) -> None:
    asked = await scene.ask()
    kept = await remember(scene.store)
    task = await scene.sent("w")
    await forget_since(scene.store, kept)
    with pytest.raises(LeaseLostError):
        await scene.sessions.append(task, 1, Delta("a"))
    assert await scene.sessions.reassert(task.lease, task.answer, 1, 0)
    await passed(scene)
    assert await scene.sessions.claim("other", await scene.hint("other")) == "nothing"
    assert await scene.redis.zcard(keys.queued_key()) == 0
    await scene.sessions.append(task, 1, Delta("a"))
    await scene.finish(task, "a")
    assert await scene.events(asked.answer) == [Delta("a"), Final("a")]
    following = await scene.ask("next", asked.token)
    task = await scene.take("w")
    assert (task.answer, task.sent) == (following.answer, 1)


async def test_a_question_that_was_claimed_and_not_sent_can_still_be(scene: Scene) -> None:
    await scene.ask()
    kept = await remember(scene.store)
    task = await scene.take("w")
    await forget_since(scene.store, kept)
    assert await scene.sessions.reassert(task.lease, task.answer)
    assert await scene.state(task.answer) == "CLAIMED"
    await scene.sessions.mark_sent(task, 1, 1, fresh=True)
    await scene.finish(task)
    assert await scene.events(task.answer) == [Final("done")]


async def test_the_worker_that_was_there_before_gives_way_to_the_one_that_came_after_it(scene: Scene) -> None:
    """The release of the one and the claim of the other were forgotten."""
    asked = await scene.ask()
    task = await scene.sent("other")
    await scene.finish(task)
    kept = await remember(scene.store)
    await scene.sessions.release(task.lease)
    second = await scene.ask("second", asked.token)
    with_job = await remember(scene.store)
    later = await scene.sent("w")
    kept[keys.job_key(second.answer).encode()] = with_job[keys.job_key(second.answer).encode()]
    await forget_since(scene.store, kept)
    assert await scene.sessions.reassert(later.lease, later.answer, 2, 0)
    assert not await scene.sessions.reassert(task.lease)
    assert [lease.token for lease in await scene.sessions.owned("w")] == [asked.token]
    assert await scene.sessions.owned("other") == []
    await scene.finish(later)
    assert await scene.events(second.answer) == [Final("done")]


async def test_an_answer_that_lost_events_ends_after_what_its_readers_have(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.sent("w")
    await scene.sessions.append(task, 1, Delta("a"))
    kept = await remember(scene.store)
    await scene.sessions.append(task, 2, Delta("b"))
    await scene.sessions.append(task, 3, Delta("c"))
    await forget_since(scene.store, kept)
    assert not await scene.sessions.reassert(task.lease, task.answer, 1, 3)
    log = await scene.redis.xrange(keys.log_key(asked.answer))
    assert [id_ for id_, _ in log] == [b"1-0", b"4-0"]
    assert b"state.lost" in log[-1][1][b"e"]
    following = await scene.ask("next", asked.token)
    going_on = await scene.finish(task, session=None)
    assert isinstance(going_on, Task)
    assert (going_on.answer, going_on.session) == (following.answer, None)


async def test_an_end_that_meets_lost_events_comes_after_what_readers_have(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.sent("w")
    kept = await remember(scene.store)
    await scene.sessions.append(task, 1, Delta("a"))
    await forget_since(scene.store, kept)
    with pytest.raises(StateLostError):
        await scene.sessions.append(task, 2, Delta("b"))
    await scene.sessions.finish(task, "FAILED", STATE_LOST, None, takes_more=True, seq=1)
    assert [id_ for id_, _ in await scene.redis.xrange(keys.log_key(asked.answer))] == [b"2-0"]


async def test_a_question_whose_end_was_forgotten_is_not_asked_again_and_the_next_one_says_reset(scene: Scene) -> None:
    asked = await scene.ask()
    kept = await remember(scene.store)
    task = await scene.sent("w")
    await scene.finish(task)
    await forget_since(scene.store, kept)
    await scene.sessions.ended(asked.token, asked.answer, 1)
    assert not await scene.sessions.reassert(task.lease)
    await passed(scene)
    assert await scene.sessions.claim("other", await scene.hint("other")) == "nothing"
    assert await scene.events(asked.answer) == [STATE_LOST]
    following = await scene.ask("next", asked.token)
    going_on = await scene.take("other")
    assert (going_on.answer, going_on.session, going_on.reset) == (following.answer, None, True)


async def test_an_end_that_is_known_stays_as_it_is(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.finish(await scene.sent("w"))
    await restarted(scene)
    await scene.sessions.ended(asked.token, asked.answer, 1)
    await scene.sessions.ended(asked.token, "s0-unknown", 1)
    assert await scene.events(asked.answer) == [Final("done")]


async def test_a_turn_goes_on_although_the_end_of_the_one_before_was_forgotten(scene: Scene) -> None:
    first = await scene.ask("first")
    second = await scene.ask("second", first.token)
    task = await scene.sent("w")
    kept = await remember(scene.store)
    following = await scene.finish(task)
    assert isinstance(following, Task)
    await scene.sessions.mark_sent(following, 1, 2, fresh=False)
    await forget_since(scene.store, kept)
    assert await scene.sessions.reassert(following.lease, second.answer, 2, 0)
    assert await scene.events(first.answer) == [STATE_LOST]
    assert await scene.finish(following) is None
    assert await scene.events(second.answer) == [Final("done")]


async def test_a_turn_that_was_stopped_meanwhile_does_not_go_on(scene: Scene) -> None:
    await scene.ask()
    task = await scene.sent("w")
    await scene.jobs.stop(task.answer)
    await restarted(scene)
    assert not await scene.sessions.reassert(task.lease, task.answer, 1, 0)
    assert await scene.finish(task, session=None) is None


async def test_of_what_was_forgotten_wholly_nothing_comes_back(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.sent("w")
    await scene.redis.flushall()
    assert not await scene.sessions.reassert(task.lease, task.answer, 1, 3)
    await scene.sessions.ended(asked.token, asked.answer, 3)
    assert await scene.names() == set()
    with pytest.raises(TokenUnknownError):
        await scene.ask("next", asked.token)


async def test_a_token_that_was_handed_on_stays_where_it_is(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.sent("w")
    await scene.ask("second", asked.token)
    await scene.kill("w")
    await scene.sessions.reap("other", "w")
    other = await scene.take("other")
    await restarted(scene)
    assert not await scene.sessions.reassert(task.lease, task.answer, 1, 0)
    await scene.sessions.mark_sent(other, 1, 1, fresh=True)
    await scene.finish(other)
    assert await scene.events(other.answer) == [Final("done")]


async def test_an_idle_token_with_work_that_was_never_scheduled_is_scheduled(scene: Scene) -> None:
    """The end of its turn was forgotten, so that a question which came then found it at work."""
    asked = await scene.ask()
    task = await scene.sent("w")
    kept = await remember(scene.store)
    await scene.finish(task)
    await forget_since(scene.store, kept)
    following = await scene.ask("next", asked.token)
    assert await scene.hints("w") == []
    await scene.sessions.ended(asked.token, asked.answer, 1)
    assert await scene.sessions.reassert(task.lease)
    await passed(scene)
    assert (await scene.take("w")).answer == following.answer


async def test_a_token_that_was_given_back_goes_to_others(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.sent("w")
    await scene.finish(task)
    kept = await remember(scene.store)
    await scene.sessions.release(task.lease)
    await forget_since(scene.store, kept)
    assert [lease.token for lease in await scene.sessions.owned("w")] == [asked.token]
    following = await scene.ask("next", asked.token)
    await disclaimed(scene, "w")
    await passed(scene)
    assert (await scene.take("other")).answer == following.answer
    assert await scene.sessions.owned("w") == []


async def test_a_turn_that_its_worker_does_not_know_ends_explicitly(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.sent("w")
    await disclaimed(scene, "w")
    assert await scene.events(asked.answer) == [STATE_LOST]


async def test_a_session_that_was_ending_ends_when_its_worker_does_not_know_it(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.sent("w")
    await scene.sessions.end(asked.token)
    await disclaimed(scene, "w")
    assert await scene.events(asked.answer) == [STATE_LOST]
    assert not await scene.redis.exists(keys.token_key(asked.token))


async def test_a_token_that_the_worker_has_got_anew_is_not_disclaimed(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.hire("w")
    await scene.finish(await scene.take("w"))
    (found,) = await scene.sessions.owned("w")
    following = await scene.ask("next", asked.token)
    task = await scene.take("w")
    await scene.sessions.disclaim(found)
    assert task.answer == following.answer
    await scene.finish(task)
    assert await scene.events(following.answer) == [Final("done")]


async def test_another_workers_token_is_not_disclaimed(scene: Scene) -> None:
    asked = await scene.ask()
    task = await scene.sent("w")
    await scene.sessions.disclaim(replace(task.lease, worker="other"))
    await scene.finish(task)
    assert await scene.events(asked.answer) == [Final("done")]


async def test_what_came_after_the_end_that_is_told_late_goes_on(scene: Scene) -> None:
    """The turn was running when Redis was to be told; by the time it is, its finish has handed out the next one."""
    first = await scene.ask("first")
    second = await scene.ask("second", first.token)
    task = await scene.sent("w")
    following = await scene.finish(task)
    assert isinstance(following, Task)
    assert not await scene.sessions.reassert(task.lease, first.answer, 1, 0)
    assert await scene.state(second.answer) == "CLAIMED"
    await scene.sessions.mark_sent(following, 1, 2, fresh=False)
    await scene.finish(following)
    assert await scene.events(second.answer) == [Final("done")]


async def test_a_reset_that_nobody_was_told_of_yet_is_told_after_a_refusal(scene: Scene) -> None:
    asked = await scene.ask()
    kept = await remember(scene.store)
    task = await scene.sent("w")
    await scene.finish(task)
    await forget_since(scene.store, kept)
    await scene.sessions.ended(asked.token, asked.answer, 1)
    await passed(scene)
    assert await scene.sessions.claim("other", await scene.hint("other")) == "nothing"
    await scene.ask("second", asked.token)
    refused = await scene.take("w")
    assert refused.reset
    unspent = Failed(120, "later", "account.throttled", reset=False)
    await scene.sessions.finish(refused, "FAILED", unspent, None, takes_more=False)
    await scene.ask("third", asked.token)
    assert (await scene.take("w")).reset
