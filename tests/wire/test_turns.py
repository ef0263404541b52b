"""Who finds the work: hints in the shared stream and in a worker's own, and none of them lost."""

import asyncio

import pytest

from tests.support.wire.scenario import Scenario
from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.store import Store
from wire.schedule import Schedule
from wire.sessions import ClaimedJob

pytestmark = pytest.mark.anyio


async def test_new_work_goes_to_whoever_has_room(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    questions = [await scenario.ask(str(number)) for number in range(4)]
    async with Schedule(scenario.store, "w1", 15.0) as first, Schedule(scenario.store, "w2", 15.0) as second:
        entries = [*await first.read(3), *await second.read(3)]
    assert [entry.token for entry in entries] == [job.token for job in questions]
    assert {entry.stream for entry in entries} == {keys.shared_stream()}


async def test_work_for_a_held_token_goes_to_its_holder(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    question = await scenario.ask()
    await scenario.finish(await scenario.take("w1"))
    await scenario.ask("second", question.token)
    assert await scenario.hints("w2") == []
    async with Schedule(scenario.store, "w1", 15.0) as reader:
        (entry,) = await reader.read(1)
    assert (entry.stream, entry.token) == (keys.own_stream("w1"), question.token)


async def test_own_entries_come_before_shared_ones(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.finish(await scenario.take("w1"))
    other = await scenario.ask("of somebody else")
    await scenario.ask("second", question.token)
    async with Schedule(scenario.store, "w1", 15.0) as reader:
        assert [entry.token for entry in await reader.read(1)] == [question.token, other.token]


async def test_a_token_has_one_entry_however_much_waits(scenario: Scenario) -> None:
    await scenario.hire("w1")
    submitted = await scenario.ask()
    for question in "abc":
        await scenario.ask(question, submitted.token)
    assert len(await scenario.hints("w1")) == 1


async def test_an_entry_in_a_dead_workers_stream_does_not_count(scenario: Scenario) -> None:
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    question = await scenario.ask()
    await scenario.finish(await scenario.take("w1"))
    second = await scenario.ask("second", question.token)
    await scenario.kill("w1")
    await scenario.ask("third", question.token)
    assert (await scenario.take("w2")).answer == second.answer


async def test_reading_waits_for_work(scenario: Scenario) -> None:
    await scenario.hire("w1")
    async with Schedule(scenario.store, "w1", 15.0) as reader:
        assert await reader.read(1) == []
        first = await scenario.ask()
        (entry,) = await reader.read(1)
        assert entry.token == first.token
        # The first one is still unclaimed; it must neither come again nor keep the reader busy.
        reading = asyncio.create_task(reader.read(1))
        done, _ = await asyncio.wait([reading], timeout=0.2)
        assert not done
        second = await scenario.ask()
        async with asyncio.timeout(0.5):
            entries = await reading or await reader.read(1)
        assert [entry.token for entry in entries] == [second.token]


async def test_what_a_full_worker_gives_back_another_finds(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    question = await scenario.ask()
    async with Schedule(scenario.store, "w1", 15.0) as reader:
        (entry,) = await reader.read(1)
        await reader.give_back(entry)
    assert (await scenario.redis.xpending(keys.shared_stream(), keys.GROUP))["pending"] == 0
    assert (await scenario.take("w2")).answer == question.answer


async def test_what_a_leaving_worker_has_read_and_not_claimed_another_finds(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    question = await scenario.ask()
    async with Schedule(scenario.store, "w1", 15.0) as reader:
        assert len(await reader.read(1)) == 1
    assert (await scenario.redis.xpending(keys.shared_stream(), keys.GROUP))["pending"] == 0
    assert (await scenario.take("w2")).answer == question.answer


async def test_what_a_dead_worker_has_read_and_not_claimed_another_takes_over(scenario: Scenario) -> None:
    await scenario.hire("w1", "w2")
    question = await scenario.ask()
    await scenario.hint("w1")
    async with Schedule(scenario.store, "w2", 15.0) as reader:
        assert await reader.read(1) == []
    async with Schedule(scenario.store, "w2", 0.0) as reader:
        (entry,) = await reader.read(1)
        task = await scenario.sessions.claim("w2", entry)
        assert isinstance(task, ClaimedJob)
        assert task.answer == question.answer
        assert await reader.read(1) == []


async def test_an_own_entry_whose_reply_was_lost_is_read_again(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    await scenario.finish(await scenario.take("w1"))
    await scenario.ask("second", question.token)
    await scenario.hint("w1")
    async with Schedule(scenario.store, "w1", 0.0) as reader:
        (entry,) = await reader.read(1)
    assert (entry.stream, entry.token) == (keys.own_stream("w1"), question.token)


async def test_streams_that_redis_lost_are_made_again(scenario: Scenario) -> None:
    await scenario.hire("w1")
    async with Schedule(scenario.store, "w1", 15.0) as reader:
        await scenario.redis.flushall()
        assert await reader.read(1) == []
        question = await scenario.ask()
        (entry,) = await reader.read(1)
        assert entry.token == question.token


async def test_making_the_streams_twice_loses_nothing(scenario: Scenario) -> None:
    question = await scenario.ask()
    async with Schedule(scenario.store, "w1", 15.0) as reader:
        await reader.prepare()
        await reader.prepare()
        assert [entry.token for entry in await reader.read(1)] == [question.token]


async def test_other_refusals_of_redis_are_reported(valkey_store: Store) -> None:
    await valkey_store.commands.set(keys.shared_stream(), "no stream")
    async with Schedule(valkey_store, "w1", 15.0) as reader:
        with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
            await reader.prepare()
        with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
            await reader.read(1)


async def test_a_reader_ends_quietly_without_redis() -> None:
    async with Schedule(Store("redis://127.0.0.1:1/0"), "w1", 15.0):
        pass


async def test_an_entry_that_one_worker_reads_twice_is_claimed_once(scenario: Scenario) -> None:
    await scenario.hire("w1")
    question = await scenario.ask()
    async with Schedule(scenario.store, "w1", 0.0) as reader, Schedule(scenario.store, "w1", 0.0) as again:
        (first,) = await reader.read(1)
        (second,) = await again.read(1)
        assert (first.stream, first.id) == (second.stream, second.id)
        task = await scenario.sessions.claim("w1", first)
        assert isinstance(task, ClaimedJob)
        assert task.answer == question.answer
        assert await scenario.sessions.claim("w1", second) == "nothing"
        assert await scenario.sessions.claim("w1", first) == task
