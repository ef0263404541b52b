"""Keeping the pictures that have no address."""

from collections.abc import AsyncIterator

import pytest

from tests.support.redis_client import redis_client
from tests.support.worker.harness import Away, HookedStore
from wire import keys
from wire.pictures import SMALLEST, PictureStore, picture_id
from worker.errors import UpstreamError
from worker.providers import Picture
from worker.turns.pictures import CLIENT_PART, keep_pictures

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100
ELSEWHERE = "https://e.org/1"


@pytest.fixture
async def store(valkey_url: str, anyio_backend: str) -> AsyncIterator[HookedStore]:
    store = HookedStore(valkey_url)
    yield store
    await store.close()


async def keep(
    store: HookedStore, *pictures: Picture, client: str = "a", limit: int = 1_000_000, retry_for: float = 0.0
) -> tuple[str, ...]:
    return await keep_pictures(PictureStore(store), pictures, client, ttl=60, limit=limit, retry_for=retry_for)


async def test_a_picture_without_an_address_gets_one_here_in_its_place(store: HookedStore) -> None:
    first, second, third = await keep(store, PNG, ELSEWHERE, PNG)
    assert second == ELSEWHERE
    assert first != third
    for address in (first, third):
        id_ = picture_id(address)
        assert id_ is not None
        assert await redis_client(store).get(keys.picture_key(id_)) == PNG


async def test_addresses_elsewhere_need_nothing_of_redis(store: HookedStore) -> None:
    assert await keep(store, ELSEWHERE, limit=0) == (ELSEWHERE,)
    assert store.calls == []


async def test_a_full_store_is_a_reason_of_its_own(store: HookedStore) -> None:
    with pytest.raises(UpstreamError, match=r"image\.full: PICTURE_LIMIT") as caught:
        await keep(store, PNG, limit=10)
    assert not caught.value.refused, "the picture was made and paid for: no other account makes one"
    assert await redis_client(store).keys("*picture*") == []


async def test_a_client_that_fills_its_part_leaves_room_to_others(store: HookedStore) -> None:
    limit = CLIENT_PART * SMALLEST
    for client in ("a", "b", "c"):
        await keep(store, PNG, client=client, limit=limit)
        with pytest.raises(UpstreamError, match=r"image\.full: PICTURE_LIMIT"):
            await keep(store, PNG, client=client, limit=limit)
    assert await PictureStore(store).count_bytes() == 3 * SMALLEST


async def test_a_redis_that_is_full_or_away_is_a_reason_too(store: HookedStore) -> None:
    store.before["admit_pictures"] = Away()
    with pytest.raises(UpstreamError, match=r"image\.full: away"):
        await keep(store, PNG)


async def test_a_redis_without_memory_keeps_no_picture_and_counts_none(store: HookedStore) -> None:
    await redis_client(store).config_set("maxmemory", "1")
    try:
        with pytest.raises(UpstreamError, match=r"image\.full: .*OOM"):
            await keep(store, PNG)
    finally:
        await redis_client(store).config_set("maxmemory", "0")
    assert await redis_client(store).keys("*picture*") == []


async def test_a_redis_that_returns_in_time_loses_no_picture(store: HookedStore) -> None:
    store.before["admit_pictures"] = Away(1)
    [address] = await keep(store, PNG, retry_for=10.0)
    assert await PictureStore(store).find(picture_id(address) or "") is not None
