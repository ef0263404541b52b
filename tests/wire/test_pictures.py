"""Pictures in Redis: bounded, counted without a leak, and gone with their time."""

import re
from collections.abc import Sequence
from typing import Any
from unittest import mock

import pytest

from tests.support.redis_client import redis_client
from wire import keys, pictures
from wire.pictures import (
    SMALLEST,
    PictureStore,
    StoredPicture,
    media_type,
    new_picture_id,
    picture_id,
    picture_path,
)
from wire.redis.long_strings import CHUNK
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"p" * SMALLEST


async def admit(
    store: Store,
    pictures: Sequence[tuple[str, bytes]],
    *,
    client: str = "key:a b",
    limit: int = 10_000_000,
    **rest: int,
) -> int:
    """Admit pictures of a client, whose share is all unless given."""
    return await PictureStore(store).admit(pictures, client, **{"ttl": 60, "limit": limit, "share": limit, **rest})


async def keep(store: Store, *contents: bytes, ttl: int = 60, limit: int = 10_000_000, client: str = "") -> list[str]:
    """Admit and write pictures, which must have room."""
    pictures = [(new_picture_id(), content) for content in contents]
    assert await admit(store, pictures, ttl=ttl, limit=limit, client=client) == 0
    for id_, content in pictures:
        await PictureStore(store).write(id_, content, ttl)
    return [id_ for id_, _ in pictures]


async def counted(store: Store) -> tuple[int, int]:
    """Return how many pictures count, and their bytes."""
    return await redis_client(store).zcard(keys.pictures_key()), await PictureStore(store).count_bytes()


async def content(store: Store, picture: StoredPicture) -> bytes:
    return b"".join([chunk async for chunk in PictureStore(store).read(picture)])


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"GIF87a...", "image/gif"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x00\x01\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x01\x00\x00WAVEfmt ", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", None),
        (b"<!doctype html><img>", None),
        (b"%PDF-1.7", None),
        (b"BM6\x00", None),
        (b"\x00\x00\x00\x20ftypavif", None),
        (b" " + PNG, None),
        (PNG[:7], None),
        (b"", None),
    ],
)
def test_only_the_first_bytes_decide_what_a_picture_is(head: bytes, kind: str | None) -> None:
    assert media_type(head) == kind


def test_an_id_is_random_and_names_its_shard() -> None:
    ids = {new_picture_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"s0-[0-9a-f]{48}", id_) for id_ in ids)  # 192 bits


@pytest.mark.parametrize(
    "address",
    [
        "https://e.org/pictures/s0-" + "0" * 48,
        "/pictures/",
        "/pictures/x",
        "/pictures/s0-" + "0" * 47,
        "/pictures/s0-" + "0" * 48 + "/../x",
        "s0-" + "0" * 48,
        "",
    ],
)
def test_an_address_elsewhere_is_no_picture_of_ours(address: str) -> None:
    assert picture_id(address) is None
    assert picture_id(picture_path("s0-" + "0" * 48)) == "s0-" + "0" * 48


@pytest.mark.parametrize("size", [0, 1, CHUNK - len(PNG), CHUNK, 3 * CHUNK + 7])
async def test_a_picture_is_read_as_it_was_written(store: Store, size: int) -> None:
    body = PNG + bytes(size)
    [id_] = await keep(store, body)
    picture = await PictureStore(store).find(id_)
    assert picture is not None
    assert (picture.size, picture.media_type, 0 < picture.ttl <= 60) == (len(body), "image/png", True)
    assert await content(store, picture) == body
    assert await redis_client(store).ttl(keys.picture_key(id_)) > 0


@pytest.mark.parametrize("id_", ["s0-" + "0" * 48, "x", "", "*", "s0-" + "0" * 48 + "\n"])
async def test_there_is_no_picture_under_another_id(store: Store, id_: str) -> None:
    await keep(store, PNG)
    assert await PictureStore(store).find(id_) is None


async def test_a_picture_that_expires_while_it_is_read_ends(store: Store) -> None:
    [id_] = await keep(store, PNG)
    picture = await PictureStore(store).find(id_)
    assert picture is not None
    await redis_client(store).delete(keys.picture_key(id_))
    assert await content(store, picture) == b""
    assert await PictureStore(store).find(id_) is None


async def test_all_pictures_together_stay_below_the_limit(store: Store) -> None:
    await keep(store, PNG, PNG, limit=3 * len(PNG))
    assert await counted(store) == (2, 2 * len(PNG))
    over = [(new_picture_id(), PNG), (new_picture_id(), PNG)]
    assert 1 <= await admit(store, over, limit=3 * len(PNG)) <= 90
    assert await counted(store) == (2, 2 * len(PNG)), "of two pictures none is admitted where one has no room"
    await keep(store, PNG, limit=3 * len(PNG))
    assert await counted(store) == (3, 3 * len(PNG))


async def test_one_clients_pictures_take_no_more_than_its_share(store: Store) -> None:
    bounds = {"limit": 4 * len(PNG), "share": 2 * len(PNG)}
    for expected in (0, 0, 90):
        assert await admit(store, [(new_picture_id(), PNG)], client="greedy", **bounds) == expected
    for client in ("", "other"):
        assert await admit(store, [(new_picture_id(), PNG)], client=client, **bounds) == 0
    assert await admit(store, [(new_picture_id(), PNG)], client="late", **bounds) > 0, "all together are at the limit"
    assert await counted(store) == (4, 4 * len(PNG))


async def test_a_client_whose_pictures_have_expired_has_its_share_again(store: Store) -> None:
    bounds = {"limit": 4 * len(PNG), "share": 2 * len(PNG)}
    first = [(new_picture_id(), PNG), (new_picture_id(), PNG)]
    assert await admit(store, first, client="greedy", **bounds) == 0
    await keep(store, PNG, client="other")
    await expire(store, [id_ for id_, _ in first])
    assert await PictureStore(store).count_bytes() == len(PNG), "before anybody has made room"
    assert await admit(store, [(new_picture_id(), PNG), (new_picture_id(), PNG)], client="greedy", **bounds) == 0
    assert await counted(store) == (3, 3 * len(PNG))
    before = [member.decode().split(" ")[0] for member in await members(store)]
    await keep(store, PNG, client="last")
    await expire(store, before)
    await keep(store, PNG, client="last")
    assert await redis_client(store).hkeys(keys.picture_sums_key()) == [b"all", b":last"], (
        "nothing is left of the others"
    )


async def test_small_pictures_count_enough_to_bound_their_number(store: Store) -> None:
    await keep(store, PNG[:8], PNG[:9])
    assert await counted(store) == (2, 2 * SMALLEST)


async def test_a_picture_larger_than_the_limit_is_refused_by_an_empty_store(store: Store) -> None:
    assert await admit(store, [(new_picture_id(), PNG)], limit=10) >= 1
    assert await counted(store) == (0, 0)


async def test_a_repeat_counts_nothing_twice(store: Store) -> None:
    again = [(new_picture_id(), PNG)]
    for _ in range(3):
        assert await admit(store, again, limit=len(PNG)) == 0
    assert await counted(store) == (1, len(PNG))


async def members(store: Store) -> list[bytes]:
    found: Any = await redis_client(store).zrange(keys.pictures_key(), 0, -1)
    return list(found)


async def expire(store: Store, ids: Sequence[str]) -> None:
    """Let the time of pictures be over, as Redis counts it."""
    for member in await members(store):
        if member.decode().split(" ")[0] in ids:
            await redis_client(store).zadd(keys.pictures_key(), {member: 1})


async def test_what_has_expired_makes_room(store: Store) -> None:
    old = await keep(store, PNG, PNG, limit=2 * len(PNG))
    await expire(store, old[:1])
    await keep(store, PNG, limit=2 * len(PNG))
    assert await counted(store) == (2, 2 * len(PNG))


async def test_the_sum_can_not_leak(store: Store) -> None:
    """A writer that dies between counting and writing, or a lost key of either kind, costs nothing for good."""
    unwritten = [(new_picture_id(), PNG)]
    assert await admit(store, unwritten, limit=10_000) == 0
    await expire(store, [unwritten[0][0]])
    await redis_client(store).hset(keys.picture_sums_key(), "all", "999999")
    await keep(store, PNG, limit=10_000)
    assert await counted(store) == (1, len(PNG))
    assert 60 < await redis_client(store).ttl(keys.picture_sums_key()) <= 90
    assert 60 < await redis_client(store).ttl(keys.pictures_key()) <= 90


async def test_a_shorter_life_does_not_shorten_the_others(store: Store) -> None:
    await keep(store, PNG, ttl=600)
    await keep(store, PNG, ttl=1)
    assert await redis_client(store).ttl(keys.pictures_key()) > 600
    assert await redis_client(store).ttl(keys.picture_sums_key()) > 600


async def test_a_picture_goes_to_redis_piece_by_piece(store: Store) -> None:
    with mock.patch.object(pictures, "CHUNK", 1000):
        [id_] = await keep(store, PNG)
        assert await redis_client(store).get(keys.picture_key(id_)) == PNG
