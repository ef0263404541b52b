"""What a server gave with a call is there for its client's next request, and takes no more than its room."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.redis_client import redis_client
from wire import keys
from wire.call_memory import _RECORD_BYTES, MAX_RECORD, MOST_CALLS, CallMemory, CallRecord
from wire.redis.store import Store
from wire.store_memory import StoreMemory

pytestmark = pytest.mark.anyio

RECORD = CallRecord("openai", "m", {"extra_content": {"a": "b"}}, {"reasoning_content": "hm"})


def memory_on(store: Store, *, client_limit: int = 1_000_000, store_bytes: int = 100_000_000) -> CallMemory:
    return CallMemory(store, StoreMemory(store, store_bytes), client_limit)


def record(size: int) -> CallRecord:
    """Return a record of that many bytes and those that count beside them."""
    empty = len('{"kind":"k","model":"m","call":{"a":""}}')
    return CallRecord("k", "m", {"a": "x" * (size - empty - _RECORD_BYTES)})


async def counted(store: Store) -> dict[str, int]:
    raw: Any = await redis_client(store).hgetall(keys.bytes_key())
    return {name.decode(): int(value) for name, value in raw.items()}


async def strings(store: Store) -> int:
    """Return how many bytes are kept, with what counts beside them."""
    commands: Any = redis_client(store)
    names = await commands.keys(keys.call_key("*"))
    return sum([await commands.strlen(name) + _RECORD_BYTES for name in names])


async def test_a_record_is_found_by_its_client_and_its_calls_id(store: Store) -> None:
    memory = memory_on(store)
    await memory.write("alice", {"c1": RECORD, "c2": CallRecord("openai", "m")}, 60)
    assert await memory.read("alice", ["c0", "c1", "c1", "c2"]) == {"c1": RECORD, "c2": CallRecord("openai", "m")}
    assert await memory.read("bob", ["c1"]) == {}
    assert await memory.read("alice", []) == {}


async def test_it_lives_as_long_as_it_was_to(store: Store) -> None:
    await memory_on(store).write("alice", {"c1": RECORD}, 60)
    commands: Any = redis_client(store)
    ttls = [await commands.ttl(name) for name in await commands.keys(keys.prefix() + "call*")]
    assert len(ttls) == 2
    assert all(0 < ttl <= 60 for ttl in ttls)


async def test_only_the_newest_calls_are_looked_up(store: Store) -> None:
    memory = memory_on(store)
    await memory.write("alice", {"old": RECORD, "new": RECORD}, 60)
    others = [f"c{number}" for number in range(MOST_CALLS - 1)]
    assert (await memory.read("alice", ["old", "new", *others])).keys() == {"new"}


async def test_a_record_that_is_too_large_is_left_out(store: Store) -> None:
    memory = memory_on(store)
    await memory.write("alice", {"c1": record(MAX_RECORD + _RECORD_BYTES + 1), "c2": record(1000)}, 60)
    assert (await memory.read("alice", ["c1", "c2"])).keys() == {"c2"}


async def test_a_clients_oldest_records_make_room_and_no_others_do(store: Store) -> None:
    memory = memory_on(store, client_limit=3000)
    await memory.write("bob", {"c": record(1000)}, 60)
    for number in range(5):
        await memory.write("alice", {f"c{number}": record(1000)}, 60)
    assert (await memory.read("alice", [f"c{number}" for number in range(5)])).keys() == {"c2", "c3", "c4"}
    assert (await memory.read("bob", ["c"])).keys() == {"c"}
    assert await counted(store) == {"all": 4000, "calls": 4000}


async def test_where_all_clients_have_no_room_nothing_more_is_kept(store: Store) -> None:
    memory = memory_on(store, store_bytes=16 * 2500)
    for client in ("alice", "bob", "carol"):
        await memory.write(client, {"c": record(1000)}, 60)
    assert [len(await memory.read(client, ["c"])) for client in ("alice", "bob", "carol")] == [1, 1, 0]
    assert await counted(store) == {"all": 2000, "calls": 2000}
    assert await strings(store) == 2000


async def test_what_is_written_again_counts_once(store: Store) -> None:
    memory = memory_on(store)
    for size in (1000, 1500, 800):
        await memory.write("alice", {"c": record(size)}, 60)
        assert await counted(store) == {"all": size, "calls": size}


async def test_a_record_that_this_version_can_not_read_is_none(store: Store) -> None:
    memory = memory_on(store)
    await memory.write("alice", {"c": RECORD}, 60)
    commands: Any = redis_client(store)
    [name] = await commands.keys(keys.call_key("*"))
    await commands.set(name, b"{")
    assert await memory.read("alice", ["c"]) == {}


WRITES = st.lists(
    st.tuples(st.sampled_from("abc"), st.dictionaries(st.sampled_from("1234"), st.integers(400, 900), max_size=3)),
    max_size=12,
)


@given(WRITES)
async def test_what_counts_is_what_is_kept(writes: list[tuple[str, dict[str, int]]]) -> None:
    store = Store("memory://")
    memory = memory_on(store, client_limit=2000, store_bytes=16 * 4000)
    for client, sizes in writes:
        await memory.write(client, {id_: record(size) for id_, size in sizes.items()}, 60)
        kept_bytes = await strings(store)
        assert kept_bytes <= 4000
        assert (await counted(store)).get("calls", 0) == kept_bytes
    await store.close()
