"""A Redis that lost data: no worker continues before all have reported what they hold, and what they report wins."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from tests.support.wire.scenario import RepeatingStore, Scenario
from tests.support.wire.snapshot import forget_since, remember
from wire import keys, scripts
from wire.answers import Answers
from wire.errors import LeaseLostError, StateLostError, TokenUnknownError
from wire.messages import Delta, Failed, Final, HistoryMessage
from wire.redis.store import Store
from wire.sessions import Reasserted
from wire.settings import LEASE_TTL
from wire.terminal_events import STATE_LOST

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[Store, RepeatingStore])
async def scenario(request: pytest.FixtureRequest, store_url: str) -> AsyncIterator[Scenario]:
    store = request.param(store_url)
    scenario = Scenario(store)
    await scenario.hire("w", "other", may_judge=True)
    yield scenario
    await store.close()


async def disclaimed(scenario: Scenario, worker: str) -> None:
    """Disclaim all that Redis holds for the worker."""
    for lease in await scenario.sessions.read_leases(worker):
        await scenario.sessions.disclaim(lease)


async def restarted(scenario: Scenario) -> None:
    """Redis restarts; nothing is lost."""
    await forget_since(scenario.store, await remember(scenario.store))


async def passed(scenario: Scenario) -> None:
    """All workers have had the time to beat since Redis restarted."""
    await scenario.sessions.beat("w")
    await scenario.redis.hset(keys.run_key(), "at", 0)


async def test_a_beat_reports_a_restart_and_a_loss_of_everything_once(scenario: Scenario) -> None:
    before = (await scenario.sessions.beat("w")).data_since
    assert (await scenario.sessions.beat("w")).data_since == before
    await restarted(scenario)
    after = (await scenario.sessions.beat("w")).data_since
    assert after != before
    assert (await scenario.sessions.beat("w")).data_since == after
    await scenario.redis.flushall()
    assert await scenario.redis.hget(keys.run_key(), "at") is None
    emptied = (await scenario.sessions.beat("w")).data_since
    assert emptied >= after
    assert (await scenario.sessions.beat("w")).data_since == emptied


async def test_after_a_restart_nobody_takes_before_all_could_beat(scenario: Scenario) -> None:
    question = await scenario.ask()
    await restarted(scenario)
    turns = await scenario.turns("other")
    assert (turns.jobs, turns.again) == ((), 0.2)
    await passed(scenario)
    assert (await scenario.take("other")).answer == question.answer


async def say(scenario: Scenario, *workers: str) -> None:
    """The workers beat, and say that they have reported what they hold to the Redis that runs now."""
    for worker in workers:
        began = (await scenario.sessions.beat(worker)).data_since
        await scenario.sessions.beat(worker, reported=began)


async def let_pass(scenario: Scenario, seconds: float) -> None:
    """So much time passes since Redis began, as far as everybody there knows; their reports were for that Redis."""
    before = await scenario.redis.hget(keys.run_key(), "at")
    began = int(before) - int(1000 * seconds)
    await scenario.redis.hset(keys.run_key(), "at", began)
    for name in await scenario.redis.keys(keys.worker_key("*")):
        if await scenario.redis.hget(name, "reported") == before:
            await scenario.redis.hset(name, "reported", began)


async def test_two_seconds_after_a_restart_of_which_all_have_reported_turns_are_taken(scenario: Scenario) -> None:
    question = await scenario.ask()
    await restarted(scenario)
    await say(scenario, "w", "other")
    assert (await scenario.turns("other")).jobs == ()
    await let_pass(scenario, 2.0)
    assert (await scenario.take("other")).answer == question.answer


async def replaced(scenario: Scenario, beat_age: int) -> None:
    """Another server is the primary; the last beats are so many seconds old."""
    await scenario.hire("w", "other")
    await scenario.redis.hset(keys.run_key(), mapping={"id": "the primary before", "at": 0})
    for name in await scenario.redis.keys(keys.worker_key("*")):
        await scenario.redis.hincrby(name, "last", -1000 * beat_age)


@pytest.fixture
async def on_server(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[int], Scenario]]:
    """Make a scenario on a server that has run for so many seconds. In memory no server can be promoted."""
    stores, original = list[Store](), scripts.source

    def make(ran_for: int) -> Scenario:
        def source(name: str, **how: bool) -> str:
            return original(name, **how).replace("info:match('uptime_in_seconds:(%d+)')", f"'{ran_for}'")

        monkeypatch.setattr(scripts, "source", source)
        stores.append(Store(valkey_url))
        return Scenario(stores[-1])

    yield make
    for store in stores:
        await store.close()


async def test_behind_a_hand_over_turns_are_taken_once_all_have_reported(
    on_server: Callable[[int], Scenario],
) -> None:
    scenario = on_server(60)
    await replaced(scenario, beat_age=1)
    question = await scenario.ask()
    await say(scenario, "w")
    assert (await scenario.turns("w")).jobs == ()
    await say(scenario, "other")
    assert (await scenario.take("w")).answer == question.answer


@pytest.mark.parametrize(
    ("ran_for", "beat_age"), [(60, 5), (4, 4), (60, -1000)], ids=["old data", "a restart", "a clock ahead"]
)
async def test_where_redis_may_have_forgotten_workers_reports_are_not_enough(
    on_server: Callable[[int], Scenario], ran_for: int, beat_age: int
) -> None:
    scenario = on_server(ran_for)
    await replaced(scenario, beat_age)
    await scenario.ask()
    await say(scenario, "w", "other")
    assert (await scenario.turns("w")).jobs == ()


@pytest.mark.parametrize("silent", ["beats", "is away"])
async def test_whoever_has_not_reported_has_half_a_lease_for_it(scenario: Scenario, silent: str) -> None:
    """Also one whose heartbeat is gone: Redis may have been away for long."""
    question = await scenario.ask()
    await restarted(scenario)
    await say(scenario, "other")
    if silent == "beats":
        await scenario.sessions.beat("w", reported=1)
    else:
        await scenario.kill("w")
    await let_pass(scenario, 2.0)
    assert (await scenario.turns("other")).jobs == ()
    await let_pass(scenario, LEASE_TTL / 2)
    assert (await scenario.take("other")).answer == question.answer


async def test_a_report_to_the_redis_before_counts_for_nothing(scenario: Scenario) -> None:
    await scenario.ask()
    await say(scenario, "w", "other")
    await restarted(scenario)
    await scenario.sessions.beat("w")
    await let_pass(scenario, 2.0)
    assert (await scenario.turns("other")).jobs == ()


async def test_a_worker_that_redis_has_forgotten_is_waited_for_once_it_beats(scenario: Scenario) -> None:
    await scenario.ask()
    snapshot = await remember(scenario.store)
    await scenario.hire("new")
    await forget_since(scenario.store, snapshot)
    await say(scenario, "w", "other")
    await scenario.sessions.beat("new")
    await let_pass(scenario, 2.0)
    assert (await scenario.turns("other")).jobs == ()
    await say(scenario, "new")
    assert len((await scenario.turns("other")).jobs) == 1


async def test_after_a_restart_nobody_reaps_before_all_could_beat(scenario: Scenario) -> None:
    await scenario.ask()
    await scenario.sent("w")
    await scenario.kill("w")
    await restarted(scenario)
    assert await scenario.sessions.reap("other", "w") == -1
    await scenario.redis.hset(keys.run_key(), "at", 0)
    assert await scenario.sessions.reap("other", "w") == 0


async def test_after_a_restart_that_lost_nothing_a_turn_continues(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    await scenario.append(task, 1, Delta("a"))
    await restarted(scenario)
    assert await scenario.sessions.reassert(task.lease, task.answer, 1, 1)
    await scenario.append(task, 2, Delta("b"))
    await scenario.finish(task, "ab")
    assert await scenario.events(question.answer) == [Delta("a"), Delta("b"), Final("ab")]


async def test_a_question_whose_sending_was_forgotten_is_not_asked_again(scenario: Scenario) -> None:
    question = await scenario.ask()
    snapshot = await remember(scenario.store)
    task = await scenario.sent("w")
    await forget_since(scenario.store, snapshot)
    with pytest.raises(LeaseLostError):
        await scenario.append(task, 1, Delta("a"))
    assert await scenario.sessions.reassert(task.lease, task.answer, 1, 0)
    await passed(scenario)
    assert await scenario.take_all("other") == []
    assert await scenario.redis.zcard(keys.queued_key()) == 0
    await scenario.append(task, 1, Delta("a"))
    await scenario.finish(task, "a")
    assert await scenario.events(question.answer) == [Delta("a"), Final("a")]
    following = await scenario.ask("next", question.token)
    task = await scenario.take("w")
    assert (task.answer, task.sent) == (following.answer, 1)


async def test_a_question_that_was_claimed_and_not_sent_can_still_be(scenario: Scenario) -> None:
    await scenario.ask()
    snapshot = await remember(scenario.store)
    task = await scenario.take("w")
    await forget_since(scenario.store, snapshot)
    assert await scenario.sessions.reassert(task.lease, task.answer)
    assert await scenario.state(task.answer) == "CLAIMED"
    await scenario.sessions.mark_sent(task, 1, 1, fresh=True)
    await scenario.finish(task)
    assert await scenario.events(task.answer) == [Final("done")]


async def test_the_worker_that_was_there_before_gives_way_to_the_one_that_came_after_it(scenario: Scenario) -> None:
    """The release of the one and the claim of the other were forgotten."""
    question = await scenario.ask()
    task = await scenario.sent("other")
    await scenario.finish(task)
    snapshot = await remember(scenario.store)
    await scenario.sessions.release(task.lease)
    second = await scenario.ask("second", question.token)
    with_job = await remember(scenario.store)
    later = await scenario.sent("w")
    snapshot[keys.job_key(second.answer).encode()] = with_job[keys.job_key(second.answer).encode()]
    await forget_since(scenario.store, snapshot)
    assert await scenario.sessions.reassert(later.lease, later.answer, 2, 0)
    assert not await scenario.sessions.reassert(task.lease)
    assert [lease.token for lease in await scenario.sessions.read_leases("w")] == [question.token]
    assert await scenario.sessions.read_leases("other") == []
    await scenario.finish(later)
    assert await scenario.events(second.answer) == [Final("done")]


async def test_an_answer_that_lost_events_ends_after_what_its_readers_have(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    await scenario.append(task, 1, Delta("a"))
    snapshot = await remember(scenario.store)
    await scenario.append(task, 2, Delta("b"))
    await scenario.append(task, 3, Delta("c"))
    await forget_since(scenario.store, snapshot)
    assert not await scenario.sessions.reassert(task.lease, task.answer, 1, 3)
    log = await scenario.redis.xrange(keys.log_key(question.answer))
    assert [id_ for id_, _ in log] == [b"1-0", b"4-0"]
    assert b"state.lost" in log[-1][1][b"e"]
    following = await scenario.ask("next", question.token)
    await scenario.finish(task, session=None)
    await passed(scenario)
    going_on = await scenario.take("w")
    assert (going_on.answer, going_on.session) == (following.answer, None)


async def test_an_answer_gets_again_what_its_worker_still_has_under_the_same_seqs(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    await scenario.append(task, 1, Delta("a"))
    snapshot = await remember(scenario.store)
    for seq, text in ((2, "b"), (3, "c")):
        await scenario.append(task, seq, Delta(text))
    before = await scenario.redis.xrange(keys.log_key(question.answer))
    await forget_since(scenario.store, snapshot)
    assert await scenario.sessions.reassert(task.lease, task.answer, 1, 3, 2) == Reasserted(1)
    for seq, text in ((2, "b"), (3, "c")):
        await scenario.append(task, seq, Delta(text))
    assert await scenario.redis.xrange(keys.log_key(question.answer)) == before
    await scenario.finish(task, "abc", seq=3)
    assert await scenario.events(question.answer) == [Delta("a"), Delta("b"), Delta("c"), Final("abc")]


async def test_an_answer_ends_as_lost_where_its_worker_has_not_all_that_redis_lacks(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    snapshot = await remember(scenario.store)
    for seq, text in enumerate("abc", 1):
        await scenario.append(task, seq, Delta(text))
    await forget_since(scenario.store, snapshot)
    assert await scenario.sessions.reassert(task.lease, task.answer, 1, 3, 2) is None
    assert [id_ for id_, _ in await scenario.redis.xrange(keys.log_key(question.answer))] == [b"4-0"]


async def test_a_reader_that_was_ahead_of_redis_gets_each_event_once(scenario: Scenario) -> None:
    question, events = await scenario.ask(), []
    task = await scenario.sent("w")
    snapshot = await remember(scenario.store)
    async with Answers(scenario.store, silence=0.05) as answers, answers.follow(question.answer) as reader:
        for seq, text in enumerate("abc", 1):
            await scenario.append(task, seq, Delta(text))
        events += [await anext(reader), await anext(reader)]
        await forget_since(scenario.store, snapshot)
        assert await scenario.sessions.reassert(task.lease, task.answer, 1, 3, 1) == Reasserted(0)
        for seq, text in enumerate("abcd", 1):
            await scenario.append(task, seq, Delta(text))
        await scenario.finish(task, "abcd", seq=4)
        events += [event async for event in reader]
    assert [(event.seq, event.event) for event in events] == [
        (1, Delta("a")),
        (2, Delta("b")),
        (3, Delta("c")),
        (4, Delta("d")),
        (5, Final("abcd")),
    ]


async def test_an_end_that_meets_lost_events_comes_after_what_readers_have(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    snapshot = await remember(scenario.store)
    await scenario.append(task, 1, Delta("a"))
    await forget_since(scenario.store, snapshot)
    with pytest.raises(StateLostError):
        await scenario.append(task, 2, Delta("b"))
    await scenario.sessions.finish(task, "FAILED", STATE_LOST, None, seq=1)
    assert [id_ for id_, _ in await scenario.redis.xrange(keys.log_key(question.answer))] == [b"2-0"]


async def test_a_question_whose_end_was_forgotten_is_not_asked_again(
    scenario: Scenario,
) -> None:
    """The next answer of its token has `reset`."""
    question = await scenario.ask()
    snapshot = await remember(scenario.store)
    task = await scenario.sent("w")
    await scenario.finish(task)
    await forget_since(scenario.store, snapshot)
    await scenario.sessions.report_end(question.token, question.answer, 1)
    assert not await scenario.sessions.reassert(task.lease)
    await passed(scenario)
    assert await scenario.take_all("other") == []
    assert await scenario.events(question.answer) == [STATE_LOST]
    following = await scenario.ask("next", question.token)
    going_on = await scenario.take("other")
    assert (going_on.answer, going_on.session, going_on.reset) == (following.answer, None, True)


async def test_an_end_that_is_known_stays_as_it_is(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.finish(await scenario.sent("w"))
    await restarted(scenario)
    await scenario.sessions.report_end(question.token, question.answer, 1)
    await scenario.sessions.report_end(question.token, "s0-unknown", 1)
    assert await scenario.events(question.answer) == [Final("done")]


async def test_a_turn_continues_although_the_end_of_the_one_before_was_forgotten(scenario: Scenario) -> None:
    first = await scenario.ask("first")
    second = await scenario.ask("second", first.token)
    task = await scenario.sent("w")
    snapshot = await remember(scenario.store)
    await scenario.finish(task)
    following = await scenario.take("w")
    await scenario.sessions.mark_sent(following, 1, 2, fresh=False)
    await forget_since(scenario.store, snapshot)
    assert await scenario.sessions.reassert(following.lease, second.answer, 2, 0)
    assert await scenario.events(first.answer) == [STATE_LOST]
    assert not await scenario.finish(following)
    assert await scenario.events(second.answer) == [Final("done")]


async def test_a_conversation_whose_transcript_was_lost_but_for_its_last_turn_is_not_whole(scenario: Scenario) -> None:
    """Another worker, which reports later, has the end that was forgotten."""
    first = await scenario.ask("first")
    await scenario.ask("second", first.token)
    task = await scenario.sent("w")
    snapshot = await remember(scenario.store)
    await scenario.finish(task, exchange=(HistoryMessage("user", "first"),), begins=True)
    following = await scenario.take("w")
    await scenario.sessions.mark_sent(following, 1, 2, fresh=False)
    await forget_since(scenario.store, snapshot)
    assert await scenario.sessions.reassert(following.lease, following.answer, 2, 0)
    await scenario.finish(following, exchange=(HistoryMessage("user", "second"),))
    transcript = await scenario.sessions.read_transcript(first.token)
    assert ([message.text for message in transcript.messages], transcript.whole) == (["second"], False)


async def test_a_turn_that_was_stopped_meanwhile_does_not_go_on(scenario: Scenario) -> None:
    await scenario.ask()
    task = await scenario.sent("w")
    await scenario.jobs.stop(task.answer)
    await restarted(scenario)
    assert not await scenario.sessions.reassert(task.lease, task.answer, 1, 0)
    assert not await scenario.finish(task, session=None)


async def test_of_what_was_forgotten_wholly_nothing_comes_back(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    await scenario.redis.flushall()
    assert not await scenario.sessions.reassert(task.lease, task.answer, 1, 3)
    await scenario.sessions.report_end(question.token, question.answer, 3)
    assert await scenario.names() == set()
    with pytest.raises(TokenUnknownError):
        await scenario.ask("next", question.token)


async def test_a_token_that_was_handed_on_stays_where_it_is(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    await scenario.ask("second", question.token)
    await scenario.kill("w")
    await scenario.sessions.reap("other", "w")
    other = await scenario.take("other")
    await restarted(scenario)
    assert not await scenario.sessions.reassert(task.lease, task.answer, 1, 0)
    await scenario.sessions.mark_sent(other, 1, 1, fresh=True)
    await scenario.finish(other)
    assert await scenario.events(other.answer) == [Final("done")]


async def test_an_idle_token_with_work_that_was_never_scheduled_is_scheduled(scenario: Scenario) -> None:
    """The end of its turn was forgotten, so that a question which came then found it at work."""
    question = await scenario.ask()
    task = await scenario.sent("w")
    snapshot = await remember(scenario.store)
    await scenario.finish(task)
    await forget_since(scenario.store, snapshot)
    following = await scenario.ask("next", question.token)
    assert await scenario.redis.llen(keys.ring_key()) == 0
    await scenario.sessions.report_end(question.token, question.answer, 1)
    assert await scenario.sessions.reassert(task.lease)
    await passed(scenario)
    assert (await scenario.take("w")).answer == following.answer


async def test_a_token_that_was_given_back_goes_to_others(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    await scenario.finish(task)
    snapshot = await remember(scenario.store)
    await scenario.sessions.release(task.lease)
    await forget_since(scenario.store, snapshot)
    assert [lease.token for lease in await scenario.sessions.read_leases("w")] == [question.token]
    following = await scenario.ask("next", question.token)
    await disclaimed(scenario, "w")
    await passed(scenario)
    assert (await scenario.take("other")).answer == following.answer
    assert await scenario.sessions.read_leases("w") == []


async def test_a_turn_that_its_worker_never_got_goes_to_another(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.take("w")
    await scenario.redis.hset(keys.run_key(), "at", 0)
    await disclaimed(scenario, "w")
    assert await scenario.events(question.answer) == []
    assert (await scenario.take("other")).answer == question.answer
    assert await scenario.sessions.read_leases("w") == []


async def test_a_turn_that_was_taken_before_redis_lost_data_ends_as_lost(scenario: Scenario) -> None:
    """Its worker may have sent it."""
    question = await scenario.ask()
    await scenario.take("w")
    await restarted(scenario)
    await disclaimed(scenario, "w")
    assert await scenario.events(question.answer) == [STATE_LOST]


async def test_a_session_that_was_ending_ends_with_a_turn_that_its_worker_never_got(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.take("w")
    await scenario.sessions.end(question.token)
    await disclaimed(scenario, "w")
    await scenario.redis.hset(keys.run_key(), "at", 0)
    await scenario.jobs.stop(question.answer)
    assert await scenario.take_all("other") == []
    assert await scenario.redis.exists(keys.token_key(question.token)) == 0


async def test_a_stopped_turn_that_its_worker_never_got_leaves_the_conversation_as_it_was(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.hire("w", "other")
    await scenario.finish(await scenario.sent("w"), session=b"saved")
    following = await scenario.ask("next", question.token)
    await scenario.take("w")
    await scenario.jobs.stop(following.answer)
    await disclaimed(scenario, "w")
    await scenario.ask("third", question.token)
    assert ((await scenario.take("other")).session, await scenario.events(following.answer)) == (
        b"saved",
        [Final("", reset=True, stopped=True)],
    )


async def test_a_turn_that_its_worker_does_not_know_ends_explicitly(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.sent("w")
    await disclaimed(scenario, "w")
    assert await scenario.events(question.answer) == [STATE_LOST]


async def test_a_session_that_was_ending_ends_when_its_worker_does_not_know_it(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.sent("w")
    await scenario.sessions.end(question.token)
    await disclaimed(scenario, "w")
    assert await scenario.events(question.answer) == [STATE_LOST]
    assert not await scenario.redis.exists(keys.token_key(question.token))


async def test_a_token_that_the_worker_has_got_anew_is_not_disclaimed(scenario: Scenario) -> None:
    question = await scenario.ask()
    await scenario.hire("w")
    await scenario.finish(await scenario.take("w"))
    (lease,) = await scenario.sessions.read_leases("w")
    following = await scenario.ask("next", question.token)
    task = await scenario.take("w")
    await scenario.sessions.disclaim(lease)
    assert task.answer == following.answer
    await scenario.finish(task)
    assert await scenario.events(following.answer) == [Final("done")]


async def test_another_workers_token_is_not_disclaimed(scenario: Scenario) -> None:
    question = await scenario.ask()
    task = await scenario.sent("w")
    await scenario.sessions.disclaim(replace(task.lease, worker="other"))
    await scenario.finish(task)
    assert await scenario.events(question.answer) == [Final("done")]


async def test_what_came_after_the_end_that_is_reported_late_continues(scenario: Scenario) -> None:
    """The turn was running when it was to be reasserted; by then it has ended, and the next one was taken."""
    first = await scenario.ask("first")
    second = await scenario.ask("second", first.token)
    task = await scenario.sent("w")
    await scenario.finish(task)
    following = await scenario.take("w")
    assert not await scenario.sessions.reassert(task.lease, first.answer, 1, 0)
    assert await scenario.state(second.answer) == "CLAIMED"
    await scenario.sessions.mark_sent(following, 1, 2, fresh=False)
    await scenario.finish(following)
    assert await scenario.events(second.answer) == [Final("done")]


async def test_a_reset_that_was_not_reported_yet_is_reported_after_a_refusal(scenario: Scenario) -> None:
    question = await scenario.ask()
    snapshot = await remember(scenario.store)
    task = await scenario.sent("w")
    await scenario.finish(task)
    await forget_since(scenario.store, snapshot)
    await scenario.sessions.report_end(question.token, question.answer, 1)
    await passed(scenario)
    assert await scenario.take_all("other") == []
    await scenario.ask("second", question.token)
    refused = await scenario.take("w")
    assert refused.reset
    unspent = Failed("account.throttled", reset=False)
    await scenario.sessions.finish(refused, "FAILED", unspent, None)
    await scenario.ask("third", question.token)
    assert (await scenario.take("w")).reset
