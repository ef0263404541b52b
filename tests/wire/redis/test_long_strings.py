"""Strings of any length come back as they were written, and expire."""

from typing import Any

import pytest

from wire.redis.long_strings import CHUNK, measure_string, read_head, read_string, write_once, write_string
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_a_string_of_any_size_is_read_as_it_was_written_and_expires(store: Store, size: int) -> None:
    content = (bytes(range(1, 252)) * (size // 251 + 1))[:size]
    assert await write_string(store, "s", content, 60)
    assert await read_string(store, "s") == content
    assert await read_head(store, "s", 10) == content[:10]
    assert await measure_string(store, "s") == size
    assert size == 0 or 0 < await store.execute("TTL", "s") <= 60


async def test_one_that_must_be_new_changes_nothing(store: Store) -> None:
    assert await write_string(store, "s", b"first", 60, new=True)
    assert not await write_string(store, "s", b"x" * 2 * CHUNK, 60, new=True)
    assert await read_string(store, "s") == b"first"


async def test_a_repeat_of_one_that_is_written_once_changes_nothing(store: Store) -> None:
    content = bytes(range(256)) * (2 * CHUNK // 256) + b"end"
    for size in (3, len(content)):
        await write_once(store, f"{size}", content[:size], 60)
        await store.execute("EXPIRE", f"{size}", 600)
        await write_once(store, f"{size}", content[:size], 60)
        assert await read_string(store, f"{size}") == content[:size]
        assert await store.execute("TTL", f"{size}") > 60


async def test_one_that_is_written_once_is_whole_though_its_first_reply_was_lost(store: Store) -> None:
    class Repeating(Store):
        async def transfer(self, *command: Any) -> Any:
            await store.transfer(*command)
            return await store.transfer(*command)

    await write_once(Repeating("memory://"), "s", b"x" * 2 * CHUNK, 60)
    assert await read_string(store, "s") == b"x" * 2 * CHUNK


@pytest.mark.parametrize("size", [3, 2 * CHUNK])
async def test_one_that_is_written_again_replaces_what_was_there(store: Store, size: int) -> None:
    await write_string(store, "s", b"x" * 3 * CHUNK, 60)
    await write_string(store, "s", b"y" * size, 60)
    assert await read_string(store, "s") == b"y" * size


async def test_a_long_one_takes_no_more_room_than_it_needs(valkey_store: Store) -> None:
    await write_string(valkey_store, "s", b"x" * (CHUNK + 100_000), 60)
    assert await valkey_store.execute("MEMORY", "USAGE", "s") < CHUNK + 120_000


async def test_one_that_is_lost_while_it_is_written_expires_too(store: Store) -> None:
    class Losing(Store):
        async def transfer(self, *command: Any) -> Any:
            if command[0] == "SETRANGE":
                await store.execute("DEL", "s")
            return await store.transfer(*command)

    await write_string(Losing("memory://"), "s", b"x" * (CHUNK + 1), 60)
    assert 0 < await store.execute("TTL", "s") <= 60


async def test_what_is_not_there_is_empty(store: Store) -> None:
    assert await read_string(store, "s") == b""
