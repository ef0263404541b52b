"""Leases, fences, the one terminal event, and what happens to the work of the dead."""

import pytest

from tests.wire.scene import ForgetfulStore, Scene, until
from wire import keys
from wire.connect import Store
from wire.ends import INTERRUPTED
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError, TokenUnknownError
from wire.limits import Limits
from wire.messages import Chat, Delta, Failed, Final
from wire.sessions import Entry, Lease, Task

pytestmark = pytest.mark.anyio


async def test_a_turn_from_question_to_saved_session(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask("what?")
    task = await scene.take("w1")
    assert task == Task(Lease(asked.token, "w1", 1), asked.answer, Chat("balanced", "what?"))
    await scene.sessions.mark_sent(task, 1, 1, fresh=True)
    await scene.sessions.append(task, 1, Delta("a"))
    await scene.sessions.append(task, 2, Delta("b"))
    assert await scene.finish(task, "ab", b'{"id":"\\u00e9"}') is None
    assert await scene.events(asked.answer) == [Delta("a"), Delta("b"), Final("ab")]
    await scene.ask("again", asked.token)
    again = await scene.take("w1")
    assert (again.session, again.sent, again.reset) == (b'{"id":"\\u00e9"}', 1, False)


async def test_a_claim_and_a_finish_tell_how_long_the_job_waited(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask("one")
    await scene.ask("two", asked.token)
    before = await scene.redis.time()
    await scene.redis.hset(keys.job_key(asked.answer), "accepted", before[0] * 1000 - 7000)
    task = await scene.take("w1")
    assert 7 <= task.waited < 20
    following = await scene.finish(task)
    assert following is not None
    assert 0 <= following.waited < 13


@pytest.mark.parametrize(
    "text", ["你好 🎉", 'quote " back \\ slash / tab \t', "\x00\x01\x7f\u2028\ufeff", "[] {} null"]
)
async def test_questions_and_sessions_come_back_unchanged(scene: Scene, text: str) -> None:
    await scene.hire("w1")
    asked = await scene.ask(text)
    task = await scene.take("w1")
    assert task.work == Chat("balanced", text)
    await scene.ask(text, asked.token)
    following = await scene.finish(task, session=text.encode())
    assert following is not None
    assert (following.work, following.session) == (task.work, text.encode())
    assert await scene.finish(following, session=text.encode(), takes_more=False) is None
    await scene.ask(text, asked.token)
    assert (await scene.take("w1")).session == text.encode()


async def test_a_tokens_jobs_run_one_at_a_time_in_the_order_accepted(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    first = await scene.ask("0")
    task = await scene.take("w1")
    others = [await scene.ask(str(number), first.token) for number in range(1, 5)]
    assert await scene.hints("w1") == []
    assert await scene.hints("w2") == []
    order = [task.answer]
    following: Task | None = task
    while following is not None:
        following = await scene.finish(following)
        if following is not None:
            assert await scene.hints("w2") == []
            order.append(following.answer)
    assert order == [first.answer, *(asked.answer for asked in others)]


async def test_the_next_job_knows_how_many_questions_the_conversation_has_had(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.sent("w1")
    await scene.ask("second", asked.token)
    await scene.ask("third", asked.token)
    second = await scene.finish(task, session=b"saved")
    assert second is not None
    assert (second.session, second.sent) == (b"saved", 1)
    await scene.sessions.mark_sent(second, 1, 2, fresh=False)
    third = await scene.finish(second, session=None)
    assert third is not None
    assert (third.session, third.sent) == (None, 0)


async def test_a_worker_that_takes_no_more_leaves_the_next_job_to_others(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    asked = await scene.ask()
    task = await scene.take("w1")
    waiting = await scene.ask("next", asked.token)
    assert await scene.finish(task, session=b"saved", takes_more=False) is None
    assert await scene.redis.smembers(keys.owned_key("w1")) == set()
    following = await scene.take("w2")
    assert (following.answer, following.session, following.lease.fence) == (waiting.answer, b"saved", 3)


async def test_a_stale_holder_can_write_nothing(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.hire("w2", may_judge=True)
    asked = await scene.ask()
    stale = await scene.take("w1")
    await scene.kill("w1")
    await scene.ask("hint", asked.token)
    newer = await scene.take("w2")
    assert newer.answer == stale.answer
    await scene.hire("w1")
    with pytest.raises(LeaseLostError):
        await scene.sessions.mark_sent(stale, 1, 1, fresh=True)
    with pytest.raises(LeaseLostError):
        await scene.sessions.append(stale, 1, Delta("stale"))
    with pytest.raises(LeaseLostError):
        await scene.sessions.refused(stale, 1)
    with pytest.raises(LeaseLostError):
        await scene.finish(stale, "stale", b"stale")
    with pytest.raises(LeaseLostError):
        await scene.sessions.release(stale.lease)
    assert await scene.events(asked.answer) == []
    await scene.sessions.mark_sent(newer, 1, 1, fresh=True)
    await scene.finish(newer, "newer")
    assert await scene.events(asked.answer) == [Final("newer")]


async def test_an_earlier_lease_of_the_same_worker_is_stale_too(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.take("w1")
    await scene.finish(task)
    await scene.ask("second", asked.token)
    newer = await scene.take("w1")
    with pytest.raises(LeaseLostError):
        await scene.sessions.append(task, 1, Delta("late"))
    with pytest.raises(LeaseLostError):
        await scene.sessions.release(task.lease)
    assert await scene.finish(newer) is None


async def test_only_the_running_job_can_be_finished(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    await scene.take("w1")
    task = await scene.ask("waits", asked.token)
    lease = Lease(asked.token, "w1", 1)
    with pytest.raises(LeaseLostError):
        await scene.finish(Task(lease, task.answer, Chat("balanced", "waits")))
    assert await scene.events(task.answer) == []


async def test_finish_after_the_end_adds_no_event_but_saves_and_advances(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.sent("w1")
    waiting = await scene.ask("next", asked.token)
    # As a stop does: the terminal event and nothing else.
    await scene.redis.hset(keys.job_key(asked.answer), "state", "QUEUED")
    assert await scene.jobs.expire(asked.answer)
    with pytest.raises(AnswerEndedError):
        await scene.sessions.append(task, 1, Delta("late"))
    following = await scene.finish(task, "late", b"saved")
    assert following is not None
    assert (following.answer, following.session) == (waiting.answer, b"saved")
    (event,) = await scene.events(asked.answer)
    assert isinstance(event, Failed)
    assert event.code == 503


async def test_an_answer_that_ended_before_it_was_sent_is_not_sent(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.take("w1")
    await scene.redis.hset(keys.job_key(asked.answer), "state", "STOPPED")
    with pytest.raises(AnswerEndedError):
        await scene.sessions.mark_sent(task, 1, 1, fresh=True)
    with pytest.raises(AnswerEndedError):
        await scene.sessions.refused(task, 1)


async def test_a_late_repeat_of_the_mark_does_not_allow_what_has_ended(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.sent("w1")
    await scene.sessions.mark_sent(task, 1, 1, fresh=True)
    await scene.redis.hset(keys.job_key(asked.answer), "state", "STOPPED")
    with pytest.raises(AnswerEndedError):
        await scene.sessions.mark_sent(task, 1, 1, fresh=True)


async def test_a_question_is_sent_again_only_after_a_refusal_before_any_text(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.ask()
    task = await scene.sent("w1")
    with pytest.raises(LeaseLostError):
        await scene.sessions.mark_sent(task, 2, 1, fresh=True)
    await scene.sessions.refused(task, 1)
    await scene.sessions.mark_sent(task, 2, 1, fresh=True)
    with pytest.raises(LeaseLostError):  # a repeat of the first refusal, late
        await scene.sessions.refused(task, 1)
    await scene.sessions.append(task, 1, Delta("text"))
    with pytest.raises(LeaseLostError):
        await scene.sessions.refused(task, 1)
    with pytest.raises(LeaseLostError):
        await scene.sessions.mark_sent(task, 3, 1, fresh=True)


async def test_append_says_when_redis_lost_events(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.sent("w1")
    await scene.sessions.append(task, 1, Delta("a"))
    with pytest.raises(StateLostError):
        await scene.sessions.append(task, 3, Delta("c"))
    await scene.redis.delete(keys.job_key(asked.answer))
    with pytest.raises(StateLostError):
        await scene.sessions.append(task, 2, Delta("b"))


async def test_append_twice_is_append_once(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.sent("w1")
    for _ in range(2):
        await scene.sessions.append(task, 1, Delta("a"))
    await scene.sessions.append(task, 2, Delta("b"))
    await scene.sessions.append(task, 1, Delta("a"))
    assert await scene.events(asked.answer) == [Delta("a"), Delta("b")]


# The work of the dead


async def test_a_dead_owners_unsent_job_is_done_first_by_the_claimer(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.hire("w2", may_judge=True)
    asked = await scene.ask("first")
    lost = await scene.take("w1")
    accepted = await scene.redis.hget(keys.job_key(asked.answer), "accepted")
    await scene.kill("w1")
    second = await scene.ask("second", asked.token)
    task = await scene.take("w2")
    assert (task.answer, task.lease.fence > lost.lease.fence, task.reset) == (asked.answer, True, False)
    assert await scene.redis.hget(keys.job_key(asked.answer), "tries") == b"1"
    assert await scene.redis.hget(keys.job_key(asked.answer), "accepted") == accepted
    assert await scene.redis.smembers(keys.owned_key("w1")) == set()
    following = await scene.finish(task)
    assert following is not None
    assert following.answer == second.answer
    assert await scene.events(asked.answer) == [Final("done")]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_dead_owners_sent_job_ends_interrupted_once(scene: Scene, streaming: bool) -> None:
    await scene.hire("w1")
    await scene.hire("w2", may_judge=True)
    asked = await scene.ask()
    await scene.finish(await scene.sent("w1"), session=b"saved")
    second = await scene.ask("second", asked.token)
    lost = await scene.sent("w1")
    if streaming:
        await scene.sessions.append(lost, 1, Delta("a"))
    await scene.kill("w1")
    third = await scene.ask("third", asked.token)
    task = await scene.take("w2")
    assert (task.answer, task.session, task.sent, task.reset) == (third.answer, None, 0, False)
    with pytest.raises(LeaseLostError):
        await scene.finish(lost, "late", b"late")
    events = await scene.events(second.answer)
    assert events == [*([Delta("a")] if streaming else []), INTERRUPTED]
    assert INTERRUPTED.reset
    assert await scene.state(second.answer) == "FAILED"


async def test_a_dead_owners_ended_job_costs_the_conversation_too(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.hire("w2", may_judge=True)
    asked = await scene.ask()
    await scene.finish(await scene.sent("w1"), session=b"saved")
    second = await scene.ask("second", asked.token)
    await scene.sent("w1")
    await scene.redis.hset(keys.job_key(second.answer), "state", "STOPPED")
    await scene.kill("w1")
    await scene.ask("third", asked.token)
    assert (await scene.take("w2")).session is None
    assert await scene.events(second.answer) == []


async def test_a_death_between_turns_costs_nothing(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.hire("w2", may_judge=True)
    asked = await scene.ask()
    await scene.finish(await scene.sent("w1"), session=b"saved")
    await scene.kill("w1")
    await scene.ask("second", asked.token)
    task = await scene.take("w2")
    assert (task.session, task.sent, task.reset) == (b"saved", 1, False)


async def test_who_has_not_beaten_for_a_lease_may_not_judge(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    asked = await scene.ask()
    await scene.take("w1")
    await scene.kill("w1")
    await scene.ask("second", asked.token)
    hint = await scene.hint("w2")
    for _ in range(2):
        assert await scene.sessions.claim("w2", hint) == "wait"
    assert (await scene.redis.xpending(keys.shared_stream(), keys.GROUP))["pending"] == 1
    await scene.redis.hset(keys.worker_key("w2"), "since", 1)
    task = await scene.sessions.claim("w2", hint)
    assert isinstance(task, Task)
    assert task.answer == asked.answer
    assert (await scene.redis.xpending(keys.shared_stream(), keys.GROUP))["pending"] == 0
    assert await scene.redis.xlen(keys.shared_stream()) == 0


async def test_after_a_pause_of_redis_nobody_looks_dead_before_all_could_beat(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.hire("w2", may_judge=True)
    asked = await scene.ask()
    await scene.take("w1")
    await scene.kill("w1")
    await scene.ask("second", asked.token)
    hint = await scene.hint("w2")
    await scene.redis.hset(keys.worker_key("w2"), "last", 1)
    assert await scene.sessions.claim("w2", hint) == "wait"
    await scene.sessions.beat("w2")
    assert await scene.sessions.claim("w2", hint) == "wait"
    since = int(await scene.redis.hget(keys.worker_key("w2"), "since"))
    await scene.sessions.beat("w2")
    assert int(await scene.redis.hget(keys.worker_key("w2"), "since")) == since > 1


async def test_a_worker_without_a_heartbeat_claims_nothing(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    hint = await scene.hint("w1")
    await scene.kill("w1")
    assert await scene.sessions.claim("w1", hint) == "wait"
    await scene.sessions.beat("w1")
    task = await scene.sessions.claim("w1", hint)
    assert isinstance(task, Task)
    assert task.answer == asked.answer


async def test_heartbeats_last_one_lease(store: Store) -> None:
    scene = Scene(store, Limits(lease_ttl=0.05))
    await scene.hire("w1")
    assert await scene.sessions.live_workers() == ["w1"]

    async def gone() -> bool:
        return not await scene.sessions.live_workers()

    await until(gone)


async def test_the_reset_of_a_refused_attempt_survives_a_take_over(scene: Scene) -> None:
    await scene.hire("w1")
    await scene.hire("w2", may_judge=True)
    asked = await scene.ask()
    await scene.finish(await scene.sent("w1"), session=b"saved")
    second = await scene.ask("second", asked.token)
    task = await scene.take("w1")
    await scene.sessions.mark_sent(task, 1, 2, fresh=False)
    await scene.sessions.refused(task, 1)
    await scene.sessions.mark_sent(task, 2, 1, fresh=True)
    await scene.sessions.refused(task, 2)
    await scene.kill("w1")
    await scene.ask("third", asked.token)
    taken = await scene.take("w2")
    assert (taken.answer, taken.session, taken.reset) == (second.answer, None, True)
    await scene.sessions.mark_sent(taken, 1, 1, fresh=True)
    following = await scene.finish(taken)
    assert following is not None
    assert not following.reset


# Hints


async def test_a_hint_for_another_workers_token_reaches_its_owner(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    asked = await scene.ask()
    await scene.finish(await scene.take("w1"))
    await scene.redis.xadd(keys.shared_stream(), {"t": asked.token})
    second = await scene.ask("second", asked.token)
    streams = {keys.shared_stream(): ">"}
    ((stream, ((id_, _),)),) = await scene.redis.xreadgroup(keys.GROUP, "w2", streams)
    wrong = Entry(stream.decode(), id_.decode(), asked.token)
    assert await scene.sessions.claim("w2", wrong) == "nothing"
    found = [await scene.sessions.claim("w1", hint) for hint in await scene.hints("w1")]
    tasks = [task for task in found if isinstance(task, Task)]
    assert [task.answer for task in tasks] == [second.answer]
    assert await scene.redis.xlen(keys.shared_stream()) == 0
    assert await scene.redis.xlen(keys.own_stream("w1")) == 0


async def test_superfluous_hints_are_harmless(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    asked = await scene.ask()
    for _ in range(3):
        await scene.redis.xadd(keys.shared_stream(), {"t": asked.token})
    first, *others = await scene.hints("w1")
    task = await scene.sessions.claim("w1", first)
    assert isinstance(task, Task)
    assert [await scene.sessions.claim("w1", hint) for hint in others[:1]] == ["nothing"]
    assert [await scene.sessions.claim("w2", hint) for hint in others[1:]] == ["nothing", "nothing"]
    await scene.redis.xadd(keys.shared_stream(), {"t": "nobody"})
    assert await scene.sessions.claim("w1", await scene.hint("w1")) == "nothing"
    assert await scene.finish(task) is None
    assert await scene.hints("w1") == []
    assert await scene.redis.exists(keys.token_key("nobody")) == 0


async def test_a_superfluous_hint_starts_no_second_turn(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    asked = await scene.ask()
    for _ in range(2):
        await scene.redis.xadd(keys.shared_stream(), {"t": asked.token})
    second = await scene.ask("second", asked.token)
    first, own, other = await scene.hints("w1")
    task = await scene.sessions.claim("w1", first)
    assert isinstance(task, Task)
    assert await scene.sessions.claim("w1", own) == "nothing"
    assert await scene.sessions.claim("w2", other) == "nothing"
    assert await scene.state(second.answer) == "QUEUED"
    following = await scene.finish(task)
    assert following is not None
    assert following.answer == second.answer


async def test_expired_jobs_are_skipped(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    second = await scene.ask("second", asked.token)
    await scene.jobs.expire(asked.answer)
    assert (await scene.take("w1")).answer == second.answer


async def test_a_hint_for_expired_jobs_alone_comes_to_nothing(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    await scene.jobs.expire(asked.answer)
    assert await scene.sessions.claim("w1", await scene.hint("w1")) == "nothing"
    assert await scene.redis.hget(keys.token_key(asked.token), "owner") is None


# Release


async def test_a_released_token_goes_on_elsewhere(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    asked = await scene.ask()
    task = await scene.sent("w1")
    await scene.finish(task, session=b"saved")
    assert await scene.sessions.release(task.lease)
    assert await scene.redis.smembers(keys.owned_key("w1")) == set()
    await scene.ask("second", asked.token)
    assert (await scene.take("w2")).session == b"saved"


async def test_releasing_gives_an_unsent_job_back_to_the_front(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    asked = await scene.ask()
    task = await scene.take("w1")
    second = await scene.ask("second", asked.token)
    assert await scene.sessions.release(task.lease)
    with pytest.raises(LeaseLostError):
        await scene.sessions.mark_sent(task, 1, 1, fresh=True)
    taken = await scene.take("w2")
    assert taken.answer == asked.answer
    following = await scene.finish(taken)
    assert following is not None
    assert following.answer == second.answer


@pytest.mark.parametrize("state", ["SENT", "STREAMING", "STOPPED"])
async def test_a_token_whose_turn_is_not_finished_is_kept(scene: Scene, state: str) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.sent("w1")
    await scene.redis.hset(keys.job_key(asked.answer), "state", state)
    assert not await scene.sessions.release(task.lease)
    await scene.ask("second", asked.token)
    assert await scene.finish(task) is not None


async def test_releasing_schedules_what_came_in(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    asked = await scene.ask()
    task = await scene.take("w1")
    await scene.finish(task)
    second = await scene.ask("second", asked.token)
    assert await scene.sessions.release(task.lease)
    assert (await scene.take("w2")).answer == second.answer


async def test_a_worker_that_left_is_gone_from_the_list(scene: Scene) -> None:
    await scene.hire("w1", "w2")
    assert await scene.sessions.live_workers() == ["w1", "w2"]
    await scene.sessions.leave("w1")
    assert await scene.sessions.live_workers() == ["w2"]
    names = [keys.worker_key("w1"), keys.own_stream("w1"), keys.owned_key("w1")]
    assert await scene.redis.exists(*names) == 0
    await scene.sessions.leave("w2")
    assert await scene.sessions.live_workers() == []


# The end of a session


async def test_ending_an_idle_session_forgets_the_token(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    await scene.finish(await scene.take("w1"))
    await scene.sessions.end(asked.token)
    assert await scene.redis.exists(keys.token_key(asked.token)) == 0
    assert await scene.redis.smembers(keys.owned_key("w1")) == set()
    with pytest.raises(TokenUnknownError):
        await scene.ask("more", asked.token)
    await scene.sessions.end(asked.token)


async def test_ending_a_session_drops_waiting_jobs_and_lets_the_running_turn_end(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.sent("w1")
    waiting = [await scene.ask(question, asked.token) for question in "abc"]
    await scene.sessions.end(asked.token)
    for job in waiting:
        (event,) = await scene.events(job.answer)
        assert isinstance(event, Failed)
        assert event.reason == "session.closed"
    await scene.sessions.append(task, 1, Delta("still "))
    assert await scene.finish(task, "still here") is None
    assert await scene.events(asked.answer) == [Delta("still "), Final("still here")]
    assert await scene.redis.exists(keys.token_key(asked.token), keys.mailbox_key(asked.token)) == 0
    assert await scene.redis.smembers(keys.owned_key("w1")) == set()
    assert await scene.redis.zcard(keys.queued_key()) == 0


@pytest.mark.parametrize("create", [False, True])
async def test_a_session_that_is_ending_accepts_nothing(scene: Scene, create: bool) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    await scene.take("w1")
    await scene.sessions.end(asked.token)
    with pytest.raises(TokenUnknownError):
        await scene.jobs.submit("s0-late", Chat("balanced", "late"), asked.token, create=create)


async def test_ending_a_session_that_waits_drops_its_jobs(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    await scene.sessions.end(asked.token)
    (event,) = await scene.events(asked.answer)
    assert isinstance(event, Failed)
    assert await scene.sessions.claim("w1", await scene.hint("w1")) == "nothing"
    assert await scene.redis.exists(keys.token_key(asked.token)) == 0


async def test_ending_an_unknown_session_does_nothing(scene: Scene) -> None:
    await scene.sessions.end("nobody")
    assert await scene.names() == set()


# Lifetimes


async def test_what_is_kept_has_an_end(store: Store) -> None:
    scene = Scene(store, Limits(session_ttl=100, answer_ttl=10, lease_ttl=5))
    await scene.hire("w1")
    asked = await scene.ask()
    token, job, log = keys.token_key(asked.token), keys.job_key(asked.answer), keys.log_key(asked.answer)
    for key in [token, job, keys.mailbox_key(asked.token)]:
        assert 90 < await scene.redis.ttl(key) <= 100
    assert 0 < await scene.redis.pttl(keys.worker_key("w1")) <= 5000
    task = await scene.sent("w1")
    await scene.sessions.append(task, 1, Delta("a"))
    await scene.sessions.append(task, 2, Delta("b"))
    assert 90 < await scene.redis.ttl(log) <= 100
    await scene.redis.persist(token)
    await scene.finish(task)
    assert 0 < await scene.redis.ttl(job) <= 10
    assert 0 < await scene.redis.ttl(log) <= 10
    assert 90 < await scene.redis.ttl(token) <= 100
    await scene.ask("second", asked.token)
    await scene.finish(await scene.take("w1"), forget=True)
    assert 0 < await scene.redis.ttl(token) <= 10


async def test_an_expired_answer_is_kept_as_long_as_any_other(store: Store) -> None:
    scene = Scene(store, Limits(answer_ttl=10))
    asked = await scene.ask()
    await scene.jobs.expire(asked.answer)
    for key in [keys.job_key(asked.answer), keys.log_key(asked.answer)]:
        assert 0 < await scene.redis.ttl(key) <= 10


async def test_at_rest_only_sessions_and_answers_are_left(scene: Scene) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    task = await scene.sent("w1")
    await scene.finish(task)
    await scene.sessions.release(task.lease)
    await scene.sessions.leave("w1")
    left = {keys.token_key(asked.token), keys.job_key(asked.answer), keys.log_key(asked.answer), keys.shared_stream()}
    assert await scene.names() == left | {keys.rate_key()}
    assert await scene.redis.xlen(keys.shared_stream()) == 0
    assert (await scene.redis.xpending(keys.shared_stream(), keys.GROUP))["pending"] == 0


# Calls whose reply never came, and that the caller makes again


@pytest.fixture
async def forgetful(store_url: str) -> ForgetfulStore:
    return ForgetfulStore(store_url)


async def again(scene: Scene, script: str, call: object) -> object:
    """Make a call that loses its reply, then make it once more."""
    assert callable(call)
    store = scene.store
    assert isinstance(store, ForgetfulStore)
    store.lose = script
    with pytest.raises(Exception, match="the reply was lost"):
        await call()
    return await call()


async def test_calls_without_a_reply_can_be_made_again(forgetful: ForgetfulStore) -> None:
    scene = Scene(forgetful)
    await scene.hire("w1")
    asked = await scene.ask()
    second = await scene.ask("second", asked.token)
    hint = await scene.hint("w1")
    task = await again(scene, "claim", lambda: scene.sessions.claim("w1", hint))
    assert isinstance(task, Task)
    assert task.answer == asked.answer
    await again(scene, "mark_sent", lambda: scene.sessions.mark_sent(task, 1, 1, fresh=True))
    await again(scene, "refused", lambda: scene.sessions.refused(task, 1))
    await again(scene, "mark_sent", lambda: scene.sessions.mark_sent(task, 2, 1, fresh=True))
    await again(scene, "append", lambda: scene.sessions.append(task, 1, Delta("a")))
    following = await again(scene, "finish", lambda: scene.finish(task))
    assert isinstance(following, Task)
    assert following.answer == second.answer
    assert await scene.events(asked.answer) == [Delta("a"), Final("done")]
    await again(scene, "mark_sent", lambda: scene.sessions.mark_sent(following, 1, 2, fresh=False))
    assert await again(scene, "finish", lambda: scene.finish(following, takes_more=False)) is None
    assert await scene.events(second.answer) == [Final("done")]
    await again(scene, "enqueue", lambda: scene.jobs.submit("s0-3", Chat("balanced", "3"), asked.token, create=False))
    assert await scene.redis.llen(keys.mailbox_key(asked.token)) == 1
    await scene.jobs.close()
    await forgetful.close()


async def test_a_release_without_a_reply_shows_as_a_lost_lease(forgetful: ForgetfulStore) -> None:
    scene = Scene(forgetful)
    await scene.hire("w1")
    await scene.ask()
    task = await scene.take("w1")
    with pytest.raises(LeaseLostError):
        await again(scene, "release", lambda: scene.sessions.release(task.lease))
    await scene.jobs.close()
    await forgetful.close()


@pytest.mark.parametrize("waits", [False, True])
async def test_work_that_cannot_be_read_ends_as_failed_and_makes_way(scene: Scene, waits: bool) -> None:
    await scene.hire("w1")
    asked = await scene.ask()
    first = await scene.sent("w1") if waits else None
    odd = await scene.ask("odd", asked.token) if waits else asked
    await scene.redis.hset(keys.job_key(odd.answer), "work", '{"type": "poem"}')
    last = await scene.ask("last", asked.token)
    if first is not None:
        assert await scene.finish(first) is None
    else:
        assert await scene.sessions.claim("w1", await scene.hint("w1")) == "nothing"
    (event,) = await scene.events(odd.answer)
    assert isinstance(event, Failed)
    assert event.reason == "job.unreadable"
    assert (await scene.take("w1")).answer == last.answer
