"""Room in Redis for one answer."""

import pytest

from tests.support.worker.harness import Away, WorkerHarness
from wire import keys
from wire.store_memory import StoreMemory
from worker.turns.answer_room import AnswerRoom

pytestmark = pytest.mark.anyio
KB = 1024


async def counted(harness: WorkerHarness) -> int:
    return int(await harness.client.store.execute("HGET", keys.bytes_key(), "all"))


async def test_a_short_answer_is_counted_from_the_beginning(harness: WorkerHarness) -> None:
    room = AnswerRoom(harness.sessions, await harness.task())
    assert room.holds(32 * KB)
    assert not room.holds(32 * KB + 1)


async def test_a_longer_one_counts_log_and_end_and_as_much_again(harness: WorkerHarness) -> None:
    room = AnswerRoom(harness.sessions, await harness.task())
    before = await counted(harness)
    for _ in range(2):
        await room.widen(100 * KB)
        assert await counted(harness) == before + 400 * KB - 64 * KB
    assert room.holds(200 * KB)
    assert not room.holds(200 * KB + 1)
    assert not room.is_refused


async def test_an_answer_without_room_counts_as_before_and_asks_no_more(harness: WorkerHarness) -> None:
    room = AnswerRoom(harness.sessions, await harness.task())
    before = await counted(harness)
    object.__setattr__(harness.sessions, "memory", StoreMemory(harness.client.store, before + 200 * KB))
    await room.widen(100 * KB)
    assert room.is_refused
    assert room.holds(2**30)
    assert await counted(harness) == before


async def test_while_redis_is_away_nothing_is_refused(harness: WorkerHarness) -> None:
    room = AnswerRoom(harness.sessions, await harness.task())
    harness.client.store.before["count_growth"] = Away()
    await room.widen(100 * KB)
    assert not room.is_refused
    assert not room.holds(100 * KB)
