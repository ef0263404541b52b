"""Results of calls are kept for a minute, whatever their size, and count for their clients."""

import pytest

from tests.support.wire.scenario import Scenario
from wire import keys
from wire.jobs import Client
from wire.redis.long_strings import CHUNK
from wire.redis.store import Store
from wire.result_store import RESULT_TTL, ResultStore

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_a_result_of_any_size_is_read_as_it_was_written_and_expires(store: Store, size: int) -> None:
    results, result = ResultStore(store), (bytes(range(1, 252)) * (size // 251 + 1))[:size]
    for _ in range(2):
        await results.write("s0-1", result)
    assert await results.read("s0-1") == result
    assert 0 < await store.execute("TTL", keys.result_key("s0-1")) <= RESULT_TTL


async def test_a_result_that_is_not_there_or_was_deleted_is_nothing(store: Store) -> None:
    results = ResultStore(store)
    assert await results.read("s0-1") == b""
    await results.write("s0-1", b"x")
    await results.delete("s0-1")
    assert await results.read("s0-1") == b""


async def test_a_result_counts_for_its_client_until_it_is_deleted(scenario: Scenario) -> None:
    results, question = ResultStore(scenario.store), await scenario.ask(client=Client("alice"))

    async def counted() -> int:
        return int(await scenario.redis.hget(keys.bytes_key(), ":alice"))

    before = await counted()
    for _ in range(2):
        assert await results.admit(question.answer, 5000, 1000_000)
        assert await counted() == before + 5000
    expires = await scenario.redis.zscore(keys.kept_key(), f"b:{question.answer}")
    seconds, _ = await scenario.redis.time()
    assert abs(expires / 1000 - seconds - RESULT_TTL) < 30
    for _ in range(2):
        await results.delete(question.answer)
        assert await counted() == before


async def test_a_result_for_which_there_is_no_room_is_not_counted(store: Store) -> None:
    results = ResultStore(store)
    assert await results.admit("s0-1", 600, 1000)
    assert not await results.admit("s0-2", 600, 1000)
    assert await results.admit("s0-1", 600, 1000), "a repeat"
    assert await store.execute("HGET", keys.bytes_key(), "all") == b"600"


async def test_the_results_of_one_client_leave_as_much_room_as_they_take(scenario: Scenario) -> None:
    results = ResultStore(scenario.store)
    mine = [await scenario.ask(client=Client("mallory", "mallory")) for _ in range(20)]
    other = await scenario.ask(client=Client("alice", "alice"))
    weighty = await scenario.ask(client=Client("bob", "bob", weight=4))
    admitted = [await results.admit(question.answer, 1000_000, 20_000_000) for question in mine]
    assert admitted == [True] * 8 + [False] * 12
    assert await results.admit(other.answer, 5000_000, 20_000_000)
    assert await results.admit(weighty.answer, 2900_000, 20_000_000)
