"""Keeping the results of calls."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.redis_client import redis_client
from tests.support.worker.harness import HookedStore
from wire.errors import StoreUnavailableError
from wire.redis.connection import Argument
from wire.result_store import MAX_RESULT, ResultStore
from wire.store_memory import StoreMemory
from worker.errors import UpstreamError
from worker.turns.results import keep_result

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(valkey_url: str, anyio_backend: str) -> AsyncIterator[HookedStore]:
    store = HookedStore(valkey_url)
    yield store
    await redis_client(store).config_set("maxmemory", "0")
    await store.close()


async def keep(store: HookedStore, result: bytes, *, retry_for: float = 0.0) -> None:
    await keep_result(ResultStore(store), StoreMemory(store), "s0-1", result, retry_for=retry_for)


async def test_the_largest_result_is_kept_and_none_above_it(store: HookedStore) -> None:
    await keep(store, b"x" * MAX_RESULT)
    assert len(await ResultStore(store).read("s0-1")) == MAX_RESULT
    with pytest.raises(UpstreamError, match=r"result\.toolarge") as caught:
        await keep(store, b"x" * (MAX_RESULT + 1))
    assert not caught.value.refused, "it was paid for: no other account is asked"


async def test_the_reserve_of_a_redis_that_is_nearly_full_is_not_for_results(store: HookedStore) -> None:
    info = await redis_client(store).info("memory")
    await redis_client(store).config_set("maxmemory", str(int(info["used_memory"] * 1.1)))
    with pytest.raises(UpstreamError, match=r"result\.full"):
        await keep(store, b"x")
    assert await ResultStore(store).read("s0-1") == b""


async def test_a_result_counts_and_none_is_kept_above_what_may_be_in_all(store: HookedStore) -> None:
    results, memory = ResultStore(store), StoreMemory(store, 1000)
    await keep_result(results, memory, "s0-1", b"x" * 600)
    with pytest.raises(UpstreamError, match=r"result\.full"):
        await keep_result(results, memory, "s0-2", b"x" * 600)
    assert await results.read("s0-2") == b""
    await results.delete("s0-1")
    await keep_result(results, memory, "s0-2", b"x" * 600)


async def test_a_redis_that_stays_away_is_a_reason_too_and_one_that_returns_is_not(store: HookedStore) -> None:
    class Leaving(HookedStore):
        left = 1

        async def transfer(self, *command: Argument) -> Any:
            self.left -= 1
            if self.left >= 0:
                raise StoreUnavailableError("away")
            return await store.transfer(*command)

    leaving = Leaving("memory://")
    with pytest.raises(UpstreamError, match=r"result\.full: away"):
        await keep_result(ResultStore(leaving), StoreMemory(store), "s0-1", b"x", retry_for=0.0)
    leaving.left = 1
    await keep_result(ResultStore(leaving), StoreMemory(store), "s0-1", b"x", retry_for=10.0)
    assert await ResultStore(store).read("s0-1") == b"x"
