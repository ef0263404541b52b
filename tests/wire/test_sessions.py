"""Leases, fences, the one terminal event, and what happens to the work of the dead."""

import pytest

from gateway.settings import GatewaySettings
from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.wire.scenario import ForgetfulStore, Scenario
from wire import keys
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError, TokenUnknownError
from wire.jobs import Client
from wire.messages import Chat, Delta, Failed, Final
from wire.redis.store import Store
from wire.sessions import ClaimedJob, Lease, Turns
from wire.store_memory import StoreMemory
from wire.terminal_events import INTERRUPTED, STATE_LOST

pytestmark = pytest.mark.anyio


async def test_a_turn_from_question_to_saved_session(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask("what?")
    task = await scenario.take("w1")
    assert task == ClaimedJob(Lease(question.token, "w1", 1), question.answer, Chat("balanced", "what?"))
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    await scenario.append(task, 1, Delta("a"))
    await scenario.append(task, 2, Delta("b"))
    assert not await scenario.finish(task, "ab", b'{"id":"\\u00e9"}')
    assert await scenario.events(question.answer) == [Delta("a"), Delta("b"), Final("ab")]
    await scenario.ask("again", question.token)
    again = await scenario.take("w1")
    assert (again.session, again.sent, again.reset) == (b'{"id":"\\u00e9"}', 1, False)


async def test_a_turn_says_how_long_its_job_has_waited(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask("one")
    await scenario.ask("two", question.token)
    before = await scenario.redis.time()
    await scenario.redis.hset(keys.job_key(question.answer), "accepted", before[0] * 1000 - 7000)
    task = await scenario.take("w1")
    assert 7 <= task.waited < 20
    await scenario.finish(task)
    assert 0 <= (await scenario.take("w1")).waited < 13


@pytest.mark.parametrize(
    "text", ["你好 🎉", 'quote " back \\ slash / tab \t', "\x00\x01\x7f\u2028\ufeff", "[] {} null"]
)
async def test_questions_and_sessions_come_back_unchanged(scenario: Scenario, text: str) -> None:
    await scenario.hire("w1")
    question = await scenario.ask(text)
    task = await scenario.take("w1")
    assert task.work == Chat("balanced", text)
    await scenario.ask(text, question.token)
    await scenario.finish(task, session=text.encode())
    following = await scenario.take("w1")
    assert (following.work, following.session) == (task.work, text.encode())
    await scenario.finish(following, session=text.encode(), keeps=False)
    await scenario.ask(text, question.token)
    assert (await scenario.take("w1")).session == text.encode()


async def test_a_tokens_jobs_run_one_at_a_time_in_the_order_accepted(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    first = await scenario.ask("0")
    task = await scenario.take("w1")
    others = [await scenario.ask(str(number), first.token) for number in range(1, 5)]
    order = [task.answer]
    for _ in others:
        for worker in ("w1", "w2"):
            assert await scenario.take_all(worker) == []
        assert await scenario.finish(task)
        task = await scenario.take("w1")
        order.append(task.answer)
    assert not await scenario.finish(task)
    assert order == [first.answer, *(question.answer for question in others)]


async def test_the_next_job_knows_how_many_questions_the_conversation_has_had(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.ask("second", question.token)
    await scenario.ask("third", question.token)
    await scenario.finish(task, session=b"saved")
    second = await scenario.take("w1")
    assert (second.session, second.sent) == (b"saved", 1)
    await scenario.sessions.mark_sent(second, 1, 2, fresh=False)
    await scenario.finish(second, session=None)
    third = await scenario.take("w1")
    assert (third.session, third.sent) == (None, 0)


async def test_a_worker_that_does_not_keep_the_token_gives_it_back_with_the_end(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    question = await scenario.ask()
    task = await scenario.take("w1")
    waiting = await scenario.ask("next", question.token)
    assert await scenario.finish(task, session=b"saved", keeps=False)
    assert await scenario.redis.smembers(keys.owned_key("w1")) == set()
    following = await scenario.take("w2")
    assert (following.answer, following.session, following.lease.fence) == (waiting.answer, b"saved", 3)


async def test_a_stale_holder_can_write_nothing(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask()
    stale = await scenario.take("w1")
    await scenario.kill("w1")
    await scenario.sessions.reap("w2", "w1")
    newer = await scenario.take("w2")
    assert newer.answer == stale.answer
    await scenario.hire("w1")
    with pytest.raises(LeaseLostError):
        await scenario.sessions.mark_sent(stale, 1, 1, fresh=True)
    with pytest.raises(LeaseLostError):
        await scenario.append(stale, 1, Delta("stale"))
    with pytest.raises(LeaseLostError):
        await scenario.sessions.record_refusal(stale, 1)
    with pytest.raises(LeaseLostError):
        await scenario.finish(stale, "stale", b"stale")
    with pytest.raises(LeaseLostError):
        await scenario.sessions.release(stale.lease)
    assert await scenario.events(question.answer) == []
    await scenario.sessions.mark_sent(newer, 1, 1, fresh=True)
    await scenario.finish(newer, "newer")
    assert await scenario.events(question.answer) == [Final("newer")]


async def test_an_earlier_lease_of_the_same_worker_is_stale_too(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.take("w1")
    await scenario.finish(task)
    await scenario.ask("second", question.token)
    newer = await scenario.take("w1")
    with pytest.raises(LeaseLostError):
        await scenario.append(task, 1, Delta("late"))
    with pytest.raises(LeaseLostError):
        await scenario.sessions.release(task.lease)
    assert not await scenario.finish(newer)


async def test_only_the_running_job_can_be_finished(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.take("w1")
    task = await scenario.ask("waits", question.token)
    lease = Lease(question.token, "w1", 1)
    with pytest.raises(LeaseLostError):
        await scenario.finish(ClaimedJob(lease, task.answer, Chat("balanced", "waits")))
    assert await scenario.events(task.answer) == []


async def test_a_rest_is_written_ahead_of_the_end_and_once(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.append(task, 1, Delta("one"))
    for _ in range(2):
        await scenario.finish(task, "one two", seq=1, rest=Delta(" two"))
    assert await scenario.events(question.answer) == [Delta("one"), Delta(" two"), Final("one two")]


@pytest.mark.parametrize("lost", ["events", "job"])
async def test_a_rest_behind_lost_events_is_not_written_nor_is_the_end(scenario: Scenario, lost: str) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    if lost == "job":
        await scenario.redis.delete(keys.job_key(question.answer))
    with pytest.raises(StateLostError):
        await scenario.finish(task, "one two", seq=1, rest=Delta(" two"))
    assert await scenario.events(question.answer) == []
    await scenario.sessions.finish(task, "FAILED", STATE_LOST, None, seq=1)
    assert bool(await scenario.redis.exists(keys.log_key(question.answer))) == (lost == "events")


async def test_a_rest_of_an_answer_that_ended_is_left_out(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.jobs.stop(question.answer)
    await scenario.finish(task, "one", rest=Delta("one"))
    [event] = await scenario.events(question.answer)
    assert isinstance(event, Final)
    assert event.stopped


async def test_finish_after_the_end_adds_no_event_but_saves_and_advances(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    waiting = await scenario.ask("next", question.token)
    # As a stop does: the terminal event and nothing else.
    await scenario.redis.hset(keys.job_key(question.answer), "state", "QUEUED")
    assert await scenario.jobs.expire(question.answer)
    with pytest.raises(AnswerEndedError):
        await scenario.append(task, 1, Delta("late"))
    assert await scenario.finish(task, "late", b"saved")
    following = await scenario.take("w1")
    assert (following.answer, following.session) == (waiting.answer, b"saved")
    (event,) = await scenario.events(question.answer)
    assert isinstance(event, Failed)
    assert event.reason == "queue.timeout"


async def test_an_answer_that_ended_before_it_was_sent_is_not_sent(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.take("w1")
    await scenario.redis.hset(keys.job_key(question.answer), "state", "STOPPED")
    with pytest.raises(AnswerEndedError):
        await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    with pytest.raises(AnswerEndedError):
        await scenario.sessions.record_refusal(task, 1)


async def test_a_late_repeat_of_the_mark_does_not_allow_what_has_ended(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    await scenario.redis.hset(keys.job_key(question.answer), "state", "STOPPED")
    with pytest.raises(AnswerEndedError):
        await scenario.sessions.mark_sent(task, 1, 1, fresh=True)


async def test_a_question_is_sent_again_only_after_a_refusal_before_any_text(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.ask()
    task = await scenario.sent("w1")
    with pytest.raises(LeaseLostError):
        await scenario.sessions.mark_sent(task, 2, 1, fresh=True)
    await scenario.sessions.record_refusal(task, 1)
    await scenario.sessions.mark_sent(task, 2, 1, fresh=True)
    with pytest.raises(LeaseLostError):  # a repeat of the first refusal, late
        await scenario.sessions.record_refusal(task, 1)
    await scenario.append(task, 1, Delta("text"))
    with pytest.raises(LeaseLostError):
        await scenario.sessions.record_refusal(task, 1)
    with pytest.raises(LeaseLostError):
        await scenario.sessions.mark_sent(task, 3, 1, fresh=True)


async def test_append_says_when_redis_lost_events(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.append(task, 1, Delta("a"))
    with pytest.raises(StateLostError):
        await scenario.append(task, 3, Delta("c"))
    await scenario.redis.delete(keys.job_key(question.answer))
    with pytest.raises(StateLostError):
        await scenario.append(task, 2, Delta("b"))


async def test_append_twice_is_append_once(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    for _ in range(2):
        await scenario.append(task, 1, Delta("a"))
    await scenario.append(task, 2, Delta("b"))
    await scenario.append(task, 1, Delta("a"))
    assert await scenario.events(question.answer) == [Delta("a"), Delta("b")]


# The work of the dead


async def test_a_dead_owners_unsent_job_comes_first_of_its_tokens(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask("first")
    lost = await scenario.take("w1")
    accepted = await scenario.redis.hget(keys.job_key(question.answer), "accepted")
    await scenario.kill("w1")
    second = await scenario.ask("second", question.token)
    await scenario.sessions.reap("w2", "w1")
    task = await scenario.take("w2")
    assert (task.answer, task.lease.fence > lost.lease.fence, task.reset) == (question.answer, True, False)
    assert await scenario.redis.hget(keys.job_key(question.answer), "tries") == b"1"
    assert await scenario.redis.hget(keys.job_key(question.answer), "accepted") == accepted
    assert await scenario.redis.smembers(keys.owned_key("w1")) == set()
    await scenario.finish(task)
    assert (await scenario.take("w2")).answer == second.answer
    assert await scenario.events(question.answer) == [Final("done")]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_dead_owners_sent_job_ends_interrupted_once(scenario: Scenario, streaming: bool) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("w1"), session=b"saved")
    second = await scenario.ask("second", question.token)
    lost = await scenario.sent("w1")
    if streaming:
        await scenario.append(lost, 1, Delta("a"))
    await scenario.kill("w1")
    third = await scenario.ask("third", question.token)
    await scenario.sessions.reap("w2", "w1")
    task = await scenario.take("w2")
    assert (task.answer, task.session, task.sent, task.reset) == (third.answer, None, 0, False)
    with pytest.raises(LeaseLostError):
        await scenario.finish(lost, "late", b"late")
    events = await scenario.events(second.answer)
    assert events == [*([Delta("a")] if streaming else []), INTERRUPTED]
    assert INTERRUPTED.reset
    assert await scenario.state(second.answer) == "FAILED"


async def test_a_dead_owners_ended_job_costs_the_conversation_too(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("w1"), session=b"saved")
    second = await scenario.ask("second", question.token)
    await scenario.sent("w1")
    await scenario.redis.hset(keys.job_key(second.answer), "state", "STOPPED")
    await scenario.kill("w1")
    await scenario.ask("third", question.token)
    await scenario.sessions.reap("w2", "w1")
    assert (await scenario.take("w2")).session is None
    assert await scenario.events(second.answer) == []


async def test_a_death_between_turns_costs_nothing(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("w1"), session=b"saved")
    await scenario.kill("w1")
    await scenario.ask("second", question.token)
    task = await scenario.take("w2")
    assert (task.session, task.sent, task.reset) == (b"saved", 1, False)


async def test_who_has_not_beaten_for_a_lease_may_not_judge(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    question = await scenario.ask()
    await scenario.take("w1")
    await scenario.kill("w1")
    await scenario.ask("second", question.token)
    for _ in range(2):
        assert await scenario.sessions.reap("w2", "w1") == -1
    assert await scenario.take_all("w2") == []
    await scenario.redis.hset(keys.worker_key("w2"), "since", 1)
    await scenario.sessions.reap("w2", "w1")
    assert (await scenario.take("w2")).answer == question.answer


async def test_after_a_pause_of_redis_nobody_looks_dead_before_all_could_beat(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask()
    await scenario.take("w1")
    await scenario.kill("w1")
    await scenario.ask("second", question.token)
    await scenario.redis.hset(keys.worker_key("w2"), "last", 1)
    assert await scenario.sessions.reap("w2", "w1") == -1
    await scenario.sessions.beat("w2")
    assert await scenario.sessions.reap("w2", "w1") == -1
    since = int(await scenario.redis.hget(keys.worker_key("w2"), "since"))
    await scenario.sessions.beat("w2")
    assert int(await scenario.redis.hget(keys.worker_key("w2"), "since")) == since > 1


async def test_a_worker_without_a_heartbeat_takes_nothing(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.kill("w1")
    turns = await scenario.turns("w1")
    assert (turns.jobs, turns.again) == ((), 0.2)
    await scenario.sessions.beat("w1")
    assert (await scenario.take("w1")).answer == question.answer


async def test_a_worker_without_an_account_lives_but_is_not_available(store: Store) -> None:
    sessions = Scenario(store).sessions
    await sessions.beat("w1")
    await sessions.beat("w2", takes_work=False)
    assert await sessions.list_live_workers() == ["w1", "w2"]
    assert await sessions.list_available_workers() == ["w1"]
    await sessions.beat("w2")
    assert await sessions.list_available_workers() == ["w1", "w2"]


async def test_a_worker_of_the_version_before_counts_as_one_that_takes_work(store: Store) -> None:
    sessions = Scenario(store).sessions
    await sessions.beat("w1")
    # Its heartbeats say nothing of that.
    await redis_client(store).hdel(keys.worker_key("w1"), "takes_work")
    assert await sessions.list_available_workers() == ["w1"]


async def test_heartbeats_last_one_lease(store: Store) -> None:
    scenario = Scenario(store, lease_ttl=2.0)
    await scenario.hire("w1")
    assert await scenario.sessions.list_live_workers() == ["w1"]

    async def gone() -> bool:
        return not await scenario.sessions.list_live_workers()

    await until(gone)


async def test_the_reset_of_a_refused_attempt_survives_a_take_over(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("w1"), session=b"saved")
    second = await scenario.ask("second", question.token)
    task = await scenario.take("w1")
    await scenario.sessions.mark_sent(task, 1, 2, fresh=False)
    await scenario.sessions.record_refusal(task, 1)
    await scenario.sessions.mark_sent(task, 2, 1, fresh=True)
    await scenario.sessions.record_refusal(task, 2)
    await scenario.kill("w1")
    await scenario.ask("third", question.token)
    await scenario.sessions.reap("w2", "w1")
    claimed = await scenario.take("w2")
    assert (claimed.answer, claimed.session, claimed.reset) == (second.answer, None, True)
    await scenario.sessions.mark_sent(claimed, 1, 1, fresh=True)
    await scenario.finish(claimed)
    assert not (await scenario.take("w2")).reset


# What has ended while it waited


async def test_expired_jobs_are_skipped(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    second = await scenario.ask("second", question.token)
    await scenario.jobs.expire(question.answer)
    assert (await scenario.take("w1")).answer == second.answer


async def test_a_token_whose_jobs_have_expired_is_not_taken(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.jobs.expire(question.answer)
    assert await scenario.take_all("w1") == []
    assert await scenario.redis.exists(keys.ring_key(), keys.line_key("")) == 0
    assert await scenario.redis.hget(keys.token_key(question.token), "owner") is None


# Release


async def test_a_released_token_continues_elsewhere(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.finish(task, session=b"saved")
    assert await scenario.sessions.release(task.lease)
    assert await scenario.redis.smembers(keys.owned_key("w1")) == set()
    await scenario.ask("second", question.token)
    assert (await scenario.take("w2")).session == b"saved"


async def test_releasing_gives_an_unsent_job_back_to_the_front(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    question = await scenario.ask()
    task = await scenario.take("w1")
    second = await scenario.ask("second", question.token)
    assert await scenario.sessions.release(task.lease)
    with pytest.raises(LeaseLostError):
        await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    claimed = await scenario.take("w2")
    assert claimed.answer == question.answer
    await scenario.finish(claimed)
    assert (await scenario.take("w2")).answer == second.answer


@pytest.mark.parametrize("state", ["SENT", "STREAMING", "STOPPED"])
async def test_a_token_whose_turn_is_not_finished_is_kept(scenario: Scenario, state: str) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.redis.hset(keys.job_key(question.answer), "state", state)
    assert not await scenario.sessions.release(task.lease)
    await scenario.ask("second", question.token)
    assert await scenario.finish(task)


async def test_what_came_in_before_a_release_goes_to_others(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    question = await scenario.ask()
    task = await scenario.take("w1")
    await scenario.finish(task)
    second = await scenario.ask("second", question.token)
    assert await scenario.sessions.release(task.lease)
    assert (await scenario.take("w2")).answer == second.answer


async def test_a_worker_that_left_is_gone_from_the_list(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    assert await scenario.sessions.list_live_workers() == ["w1", "w2"]
    await scenario.sessions.leave("w1")
    assert await scenario.sessions.list_live_workers() == ["w2"]
    names = [keys.worker_key("w1"), keys.took_key("w1"), keys.owned_key("w1"), keys.idle_key()]
    assert await scenario.redis.exists(*names) == 0
    await scenario.sessions.leave("w2")
    assert await scenario.sessions.list_live_workers() == []


# The end of a session


async def test_ending_an_idle_session_forgets_the_token(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.finish(await scenario.take("w1"))
    await scenario.sessions.end(question.token)
    assert await scenario.redis.exists(keys.token_key(question.token)) == 0
    assert await scenario.redis.smembers(keys.owned_key("w1")) == set()
    with pytest.raises(TokenUnknownError):
        await scenario.ask("more", question.token)
    await scenario.sessions.end(question.token)


async def test_ending_a_session_drops_waiting_jobs_and_lets_the_running_turn_end(scenario: Scenario) -> None:
    await scenario.hire("w1")
    submitted = await scenario.ask()
    task = await scenario.sent("w1")
    waiting = [await scenario.ask(question, submitted.token) for question in "abc"]
    await scenario.sessions.end(submitted.token)
    for job in waiting:
        (event,) = await scenario.events(job.answer)
        assert isinstance(event, Failed)
        assert event.reason == "session.closed"
    await scenario.append(task, 1, Delta("still "))
    assert not await scenario.finish(task, "still here")
    assert await scenario.events(submitted.answer) == [Delta("still "), Final("still here")]
    assert await scenario.redis.exists(keys.token_key(submitted.token), keys.mailbox_key(submitted.token)) == 0
    assert await scenario.redis.smembers(keys.owned_key("w1")) == set()
    assert await scenario.redis.zcard(keys.queued_key()) == 0


@pytest.mark.parametrize("create", [False, True])
async def test_a_session_that_is_ending_accepts_nothing(scenario: Scenario, create: bool) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.take("w1")
    await scenario.sessions.end(question.token)
    with pytest.raises(TokenUnknownError):
        await scenario.jobs.submit("s0-late", Chat("balanced", "late"), question.token, create=create)


async def test_ending_a_session_that_waits_drops_its_jobs(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.sessions.end(question.token)
    (event,) = await scenario.events(question.answer)
    assert isinstance(event, Failed)
    assert await scenario.redis.exists(keys.token_key(question.token), keys.ring_key(), keys.line_key("")) == 0
    assert await scenario.take_all("w1") == []


async def test_ending_an_unknown_session_does_nothing(scenario: Scenario) -> None:
    await scenario.sessions.end("nobody")
    assert await scenario.names() == set()


# Lifetimes


async def test_what_is_kept_has_an_end(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(session_ttl=100, answer_ttl=10), lease_ttl=5)
    await scenario.hire("w1")
    question = await scenario.ask()
    token, job, log = keys.token_key(question.token), keys.job_key(question.answer), keys.log_key(question.answer)
    for key in [token, job, keys.mailbox_key(question.token)]:
        assert 90 < await scenario.redis.ttl(key) <= 100
    assert 0 < await scenario.redis.pttl(keys.worker_key("w1")) <= 5000
    task = await scenario.sent("w1")
    await scenario.append(task, 1, Delta("a"))
    await scenario.append(task, 2, Delta("b"))
    assert 90 < await scenario.redis.ttl(log) <= 100
    await scenario.redis.persist(token)
    await scenario.finish(task)
    assert 0 < await scenario.redis.ttl(job) <= 10
    assert 0 < await scenario.redis.ttl(log) <= 10
    assert 90 < await scenario.redis.ttl(token) <= 100
    await scenario.ask("second", question.token)
    await scenario.finish(await scenario.take("w1"), forget=True)
    assert 0 < await scenario.redis.ttl(token) <= 10


async def test_an_expired_answer_is_kept_as_long_as_any_other(store: Store) -> None:
    scenario = Scenario(store, GatewaySettings(answer_ttl=10))
    question = await scenario.ask()
    await scenario.jobs.expire(question.answer)
    for key in [keys.job_key(question.answer), keys.log_key(question.answer)]:
        assert 0 < await scenario.redis.ttl(key) <= 10


async def test_at_rest_only_sessions_and_answers_are_left(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.finish(task)
    await scenario.sessions.release(task.lease)
    await scenario.sessions.leave("w1")
    left = {
        keys.token_key(question.token),
        keys.job_key(question.answer),
        keys.log_key(question.answer),
    }
    left |= {keys.rate_key(), keys.kept_key(), keys.sizes_key(), keys.bytes_key()}
    assert await scenario.names() == left


# Calls whose reply never came, and that the caller makes again


@pytest.fixture
async def forgetful(store_url: str) -> ForgetfulStore:
    return ForgetfulStore(store_url)


async def again(scenario: Scenario, script: str, call: object) -> object:
    """Make a call that loses its reply, then make it once more."""
    assert callable(call)
    store = scenario.store
    assert isinstance(store, ForgetfulStore)
    store.lose = script
    with pytest.raises(Exception, match="the reply was lost"):
        await call()
    return await call()


async def test_calls_without_a_reply_can_be_made_again(forgetful: ForgetfulStore) -> None:
    scenario = Scenario(forgetful)
    await scenario.hire("w1")
    question = await scenario.ask()
    second = await scenario.ask("second", question.token)
    turns = await again(scenario, "take", lambda: scenario.sessions.take("w1", 1, 0, 1, {}))
    assert isinstance(turns, Turns)
    ((task, _),) = turns.jobs
    assert task.answer == question.answer
    await again(scenario, "mark_sent", lambda: scenario.sessions.mark_sent(task, 1, 1, fresh=True))
    await again(scenario, "refused", lambda: scenario.sessions.record_refusal(task, 1))
    await again(scenario, "mark_sent", lambda: scenario.sessions.mark_sent(task, 2, 1, fresh=True))
    await again(scenario, "append", lambda: scenario.append(task, 1, Delta("a")))
    assert await again(scenario, "finish", lambda: scenario.finish(task))
    ((following, _),) = (await scenario.sessions.take("w1", 2, 1, 1, {})).jobs
    assert following.answer == second.answer
    assert await scenario.events(question.answer) == [Delta("a"), Final("done")]
    await again(scenario, "mark_sent", lambda: scenario.sessions.mark_sent(following, 1, 2, fresh=False))
    assert not await again(scenario, "finish", lambda: scenario.finish(following, keeps=False))
    assert await scenario.events(second.answer) == [Final("done")]
    await again(
        scenario, "enqueue", lambda: scenario.jobs.submit("s0-3", Chat("balanced", "3"), question.token, create=False)
    )
    assert await scenario.redis.llen(keys.mailbox_key(question.token)) == 1
    await scenario.jobs.close()
    await forgetful.close()


async def test_a_release_without_a_reply_shows_as_a_lost_lease(forgetful: ForgetfulStore) -> None:
    scenario = Scenario(forgetful)
    await scenario.hire("w1")
    await scenario.ask()
    task = await scenario.take("w1")
    with pytest.raises(LeaseLostError):
        await again(scenario, "release", lambda: scenario.sessions.release(task.lease))
    await scenario.jobs.close()
    await forgetful.close()


@pytest.mark.parametrize("waits", [False, True])
async def test_work_that_cannot_be_read_ends_as_failed_and_makes_way(scenario: Scenario, waits: bool) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    first = await scenario.sent("w1") if waits else None
    odd = await scenario.ask("odd", question.token) if waits else question
    await scenario.redis.hset(keys.job_key(odd.answer), "short_work", '{"type": "poem"}')
    last = await scenario.ask("last", question.token)
    if first is not None:
        assert await scenario.finish(first)
    assert await scenario.take_all("w1", free=1) == []
    (event,) = await scenario.events(odd.answer)
    assert isinstance(event, Failed)
    assert event.reason == "job.unreadable"
    assert (await scenario.take("w1")).answer == last.answer


async def test_an_answer_counts_while_it_grows_and_as_what_it_is_at_its_end(scenario: Scenario) -> None:
    object.__setattr__(scenario.sessions, "memory", StoreMemory(scenario.store, 1_000_000))
    await scenario.hire("w1")
    await scenario.ask(client=Client("key:alice", "alice"))
    task = await scenario.sent("w1")

    async def counted() -> int:
        sums = {int(size) for size in (await scenario.redis.hgetall(keys.bytes_key())).values()}
        assert len(sums) == 1
        return sums.pop()

    before = await counted()
    assert await scenario.sessions.count_growth(task.answer, 500_000)
    assert await counted() == before + 500_000 - 65_536
    assert not await scenario.sessions.count_growth(task.answer, 700_000), "it leaves less than half of what it takes"
    assert await scenario.sessions.count_growth(task.answer, 100_000), "that much is counted"
    assert await counted() == before + 500_000 - 65_536
    await scenario.finish(task, "done")
    assert await scenario.sessions.count_growth(task.answer, 600_000), "it has ended"
    assert await counted() < before


async def test_a_large_answer_beyond_its_clients_share_is_there_for_a_moment(scenario: Scenario) -> None:
    """A hundred questions are accepted at once, and their answers may have megabytes each."""
    object.__setattr__(scenario.sessions, "memory", StoreMemory(scenario.store, 11_000_000))
    await scenario.hire("w1")
    asked = [("alice", 1_000_000)] * 3 + [("alice", 100), ("bob", 1_000_000)]
    tasks: list[tuple[ClaimedJob, int]] = []
    for name, size in asked:
        await scenario.ask(client=Client(f"key:{name}", name))
        tasks.append((await scenario.sent("w1"), size))
    for task, size in tasks:
        await scenario.finish(task, "x" * size)
    lives = [await scenario.redis.ttl(keys.log_key(task.answer)) for task, _ in tasks]
    assert [life > 30 for life in lives] == [True, True, False, True, True]
