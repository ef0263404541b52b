"""Results of calls are kept for a minute, whatever their size, and counted nowhere."""

import pytest

from wire import keys
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
    assert await store.execute("EXISTS", keys.bytes_key(), keys.sizes_key()) == 0


async def test_a_result_that_is_not_there_or_was_deleted_is_nothing(store: Store) -> None:
    results = ResultStore(store)
    assert await results.read("s0-1") == b""
    await results.write("s0-1", b"x")
    await results.delete("s0-1")
    assert await results.read("s0-1") == b""
