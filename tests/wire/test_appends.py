"""Appends that leave together, that look at nothing but the log, and that notice what that can't show."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from wire import appends, keys
from wire.appends import MOST_BYTES, MOST_EVENTS, Appended
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError, StoreUnavailableError
from wire.messages import Delta, Failed, Final, decode_event
from wire.reasons import Reason
from wire.redis.store import Store
from wire.sessions import ClaimedJob

pytestmark = pytest.mark.anyio


class CountingStore(Store):
    """A store that notes how many events each call of `append` has, and how many of them are careful."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.calls: list[tuple[int, int]] = []
        self.fails = False

    def start(self, script: str, key: str, *args: Any, read: Any) -> "asyncio.Future[Any]":
        if self.fails:
            failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            failed.set_exception(StoreUnavailableError("away"))
            return failed
        self.calls.append(((len(args) - 2) // 4, args[1]))
        return super().start(script, key, *args, read=read)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[CountingStore]:
    store = CountingStore(store_url)
    yield store
    await store.close()


@pytest.fixture
async def scenario(store: CountingStore) -> Scenario:
    scenario = Scenario(store)
    scenario.sessions.appends.allow_fast(True)
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    return scenario


async def begun(scenario: Scenario, count: int = 2) -> tuple[ClaimedJob, Appended]:
    """A turn with so many events, and the confirmation of the last one."""
    await scenario.ask()
    task, last = await scenario.sent("w1"), None
    for seq in range(1, count + 1):
        last = await scenario.append(task, seq, Delta(f"{seq} "), last)
    assert last is not None
    return task, last


async def lose_last_event(scenario: Scenario, task: ClaimedJob, seq: int) -> None:
    """Redis has lost what came after `seq`, and says nothing of it."""
    log = keys.log_key(task.answer)
    events = [fields for _, fields in await scenario.redis.xrange(log)]
    await scenario.redis.delete(log)
    for number, fields in enumerate(events[:seq], 1):
        await scenario.redis.xadd(log, fields, id=f"{number}-0")


async def test_the_appends_of_a_turn_of_the_loop_leave_in_one_call(scenario: Scenario, store: CountingStore) -> None:
    turns = [await begun(scenario) for _ in range(3)]
    store.calls.clear()
    await asyncio.gather(*(scenario.append(task, 3, Delta("3"), last) for task, last in turns))
    assert store.calls == [(3, 0)]
    for task, _ in turns:
        assert await scenario.events(task.answer) == [Delta("1 "), Delta("2 "), Delta("3")]


async def test_what_arrives_while_a_call_is_out_leaves_with_its_reply(scenario: Scenario, store: CountingStore) -> None:
    turns = [await begun(scenario) for _ in range(3)]
    store.calls.clear()
    (first, first_last), *others = turns
    replies = [scenario.append(first, 3, Delta("3"), first_last)]
    await asyncio.sleep(0)
    replies += [scenario.append(task, 3, Delta("3"), last) for task, last in others]
    await asyncio.gather(*replies)
    assert store.calls == [(1, 0), (2, 0)]


async def test_what_its_turn_has_given_up_does_not_leave(scenario: Scenario, store: CountingStore) -> None:
    (one, one_last), (other, other_last) = await begun(scenario), await begun(scenario)
    store.calls.clear()
    scenario.append(other, 3, Delta("3"), other_last).cancel()
    await scenario.append(one, 3, Delta("3"), one_last)
    assert store.calls == [(1, 0)]
    assert len(await scenario.events(other.answer)) == 2


async def test_what_waits_for_a_call_that_fails_is_sent_all_the_same(scenario: Scenario, store: CountingStore) -> None:
    (one, one_last), (other, other_last) = await begun(scenario), await begun(scenario)
    store.fails = True
    failed = scenario.append(one, 3, Delta("3"), one_last)
    await asyncio.sleep(0)
    store.fails = False
    whole = scenario.append(other, 3, Delta("3"), other_last)
    with pytest.raises(StoreUnavailableError):
        await failed
    assert isinstance(await whole, Appended)


async def test_careful_ones_leave_with_the_fast_and_each_gets_its_own_reply(
    scenario: Scenario, store: CountingStore
) -> None:
    fast, last = await begun(scenario)
    await scenario.ask()
    first = await scenario.sent("w1")
    stopped, stopped_last = await begun(scenario)
    await scenario.jobs.stop(stopped.answer)
    store.calls.clear()
    replies = await asyncio.gather(
        scenario.append(fast, 3, Delta("3"), last),
        scenario.append(stopped, 3, Delta("3"), stopped_last),
        scenario.append(first, 1, Delta("1")),
        scenario.append(first, 4, Delta("4")),
        return_exceptions=True,
    )
    assert store.calls == [(4, 2)]
    assert [type(reply) for reply in replies] == [Appended, AnswerEndedError, Appended, StateLostError]


@pytest.mark.parametrize(
    ("sizes", "calls"),
    [
        ([1] * (2 * MOST_EVENTS + 1), [MOST_EVENTS, MOST_EVENTS, 1]),
        ([MOST_BYTES // 2 - 1000] * 5, [2, 2, 1]),
        ([1, 2 * MOST_BYTES, 1], [1, 1, 1]),
    ],
)
async def test_calls_are_bounded_in_count_and_bytes(
    scenario: Scenario, store: CountingStore, sizes: list[int], calls: list[int]
) -> None:
    task, last = await begun(scenario)
    store.calls.clear()
    replies = [scenario.append(task, 3, Delta("x" * size), last) for size in sizes]
    await asyncio.gather(*replies)
    assert [count for count, _ in store.calls] == calls


async def test_a_fast_append_leaves_the_job_alone(scenario: Scenario) -> None:
    task, last = await begun(scenario, 1)
    await scenario.redis.hset(keys.job_key(task.answer), "state", "unread")
    await scenario.append(task, 2, Delta("2"), last)
    assert await scenario.redis.hget(keys.job_key(task.answer), "seq") == b"1"


async def test_while_an_older_process_lives_the_job_has_the_seq(scenario: Scenario, store: CountingStore) -> None:
    scenario.sessions.appends.allow_fast(False)
    task, _ = await begun(scenario, 3)
    assert store.calls == [(1, 1)] * 3
    assert await scenario.redis.hget(keys.job_key(task.answer), "seq") == b"3"


@pytest.mark.parametrize("seq", [2, 3, 4])
async def test_nothing_is_appended_after_a_stop(scenario: Scenario, seq: int) -> None:
    task, last = await begun(scenario)
    await scenario.jobs.stop(task.answer)
    events = await scenario.events(task.answer)
    with pytest.raises(AnswerEndedError):
        await scenario.append(task, seq, Delta("late"), last)
    assert await scenario.events(task.answer) == events
    assert isinstance(events[-1], Final)


async def test_nothing_is_appended_after_the_reaper(scenario: Scenario) -> None:
    task, last = await begun(scenario)
    await scenario.kill("w1")
    assert await scenario.sessions.reap("w2", "w1") == 0
    for seq in (2, 3, 4, 9):
        with pytest.raises(LeaseLostError):
            await scenario.append(task, seq, Delta("late"), last)
    assert len(await scenario.events(task.answer)) == 3


async def test_a_late_copy_of_an_append_changes_nothing_after_the_end(scenario: Scenario) -> None:
    task, last = await begun(scenario)
    await scenario.sessions.finish(task, "DONE", Final("1 2 "), b"", seq=2)
    for seq in (2, 3):
        with pytest.raises(AnswerEndedError):
            await scenario.append(task, seq, Delta("late"), last)
    assert await scenario.events(task.answer) == [Delta("1 "), Delta("2 "), Final("1 2 ")]


async def test_a_repeat_of_a_fast_append_is_confirmed(scenario: Scenario) -> None:
    task, last = await begun(scenario)
    for _ in range(2):
        await scenario.append(task, 3, Delta("3"), last)
    assert len(await scenario.events(task.answer)) == 3


async def test_an_error_of_one_log_is_no_other_ones(scenario: Scenario) -> None:
    (one, one_last), (other, other_last) = await begun(scenario), await begun(scenario)
    await scenario.redis.delete(keys.log_key(one.answer))
    await scenario.redis.set(keys.log_key(one.answer), "no stream")
    broken, whole = await asyncio.gather(
        scenario.append(one, 3, Delta("3"), one_last),
        scenario.append(other, 3, Delta("3"), other_last),
        return_exceptions=True,
    )
    assert isinstance(broken, StoreUnavailableError)
    assert isinstance(whole, Appended)


async def test_a_log_expires_with_its_job(scenario: Scenario) -> None:
    await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.redis.expire(keys.job_key(task.answer), 50)
    await scenario.append(task, 1, Delta("1"))
    left = [await scenario.redis.pttl(key(task.answer)) for key in (keys.job_key, keys.log_key)]
    assert abs(left[0] - left[1]) < 5000
    assert left[1] > 0


async def test_a_log_that_is_gone_is_not_begun_again(scenario: Scenario) -> None:
    task, last = await begun(scenario)
    await scenario.redis.delete(keys.log_key(task.answer), keys.job_key(task.answer))
    with pytest.raises(StateLostError):
        await scenario.append(task, 3, Delta("3"), last)
    assert not await scenario.redis.exists(keys.log_key(task.answer))


async def test_a_new_connection_has_the_next_append_look_for_what_was_lost(valkey_url: str) -> None:
    store = CountingStore(valkey_url)
    scenario = Scenario(store)
    scenario.sessions.appends.allow_fast(True)
    await scenario.hire("w1")
    task, last = await begun(scenario, 3)
    await lose_last_event(scenario, task, 2)
    await redis_client(store).client_kill_filter(_type="normal", skipme=True)
    with pytest.raises((StateLostError, StoreUnavailableError)):
        await scenario.append(task, 4, Delta("4"), last)
    with pytest.raises(StateLostError):
        await scenario.append(task, 4, Delta("4"), last)
    assert len(await scenario.events(task.answer)) == 2
    await store.close()


async def test_silence_has_the_next_append_look_for_what_was_lost(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, last = await begun(scenario, 3)
    await lose_last_event(scenario, task, 2)
    monkeypatch.setattr(appends, "_SILENCE", 0.0)
    with pytest.raises(StateLostError):
        await scenario.append(task, 4, Delta("4"), last)


async def test_a_gap_in_the_log_is_found_before_the_answer_counts_as_whole(scenario: Scenario) -> None:
    """Behind a proxy that holds its clients' connections Redis can be replaced unseen."""
    task, last = await begun(scenario, 3)
    await lose_last_event(scenario, task, 2)
    await scenario.append(task, 4, Delta("4"), last)
    with pytest.raises(StateLostError):
        await scenario.sessions.finish(task, "DONE", Final("1 2 3 4"), b"", seq=4)
    lost = Failed(Reason.STATE_LOST)
    await scenario.sessions.finish(task, "FAILED", lost, None, seq=4)
    (last_id, fields), *_ = await scenario.redis.xrevrange(keys.log_key(task.answer), count=1)
    assert (last_id, decode_event(fields[b"e"])) == (b"5-0", lost)


async def test_a_worker_whose_log_has_a_gap_may_not_go_on(scenario: Scenario) -> None:
    task, last = await begun(scenario, 3)
    await lose_last_event(scenario, task, 2)
    await scenario.append(task, 4, Delta("4"), last)
    assert not await scenario.sessions.reassert(task.lease, task.answer, 1, 4)
