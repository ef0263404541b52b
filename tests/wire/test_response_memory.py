"""Stored responses are there for RESPONSE_TTL after their last use, and take no more than their room."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.redis_client import redis_client
from tests.support.wire.scenario import Scenario
from wire import keys
from wire.about import About
from wire.blocks import Block
from wire.errors import LeaseLostError, StoreUnavailableError
from wire.messages import Final, Prompted
from wire.prompt import Message, Prompt, Text
from wire.redis.long_strings import CHUNK
from wire.redis.store import Store
from wire.response_memory import (
    RESPONSE_BYTES,
    RecalledResponse,
    ResponseLink,
    ResponseMemory,
    StoredResponse,
    is_stored_response,
)
from wire.store_memory import StoreMemory
from wire.threads import LARGE

pytestmark = pytest.mark.anyio

END = Final("4", provider="p", blocks=(Block("reasoning", "hm", extra={"a": "b"}), Block("text", "4")))


def memory_on(store: Store, *, store_bytes: int = 100_000_000, ttl: int = 60) -> ResponseMemory:
    return ResponseMemory(store, StoreMemory(store, store_bytes), ttl)


def response(text: str = "2 + 2?", **rest: Any) -> StoredResponse:
    return StoredResponse("t", "o", About("chat"), 1, (Message("user", (Text(text),)),), **rest)


def sized(size: int) -> StoredResponse:
    """Return a response that counts for so many bytes."""
    return response("x" * (size - RESPONSE_BYTES - len(msgspec.json.encode(response("")))))


async def found(memory: ResponseMemory, *answers: str) -> list[str]:
    """Return those of the answers whose responses are there."""
    recalled = await memory.read(answers)
    return [answer for answer, link in zip(answers, recalled, strict=True) if link is not None]


async def counted(store: Store) -> dict[str, int]:
    raw: Any = await redis_client(store).hgetall(keys.bytes_key())
    return {name.decode(): int(value) for name, value in raw.items()}


async def strings(store: Store) -> int:
    """Return how many bytes are there, with what counts beside them."""
    commands: Any = redis_client(store)
    names = await commands.keys(keys.response_key("*"))
    others = await commands.keys(keys.response_end_key("*"))
    sizes: list[int] = [await commands.strlen(name) for name in (*names, *others)]
    return sum(sizes) + RESPONSE_BYTES * len(names)


async def test_a_response_is_read_with_its_end(store: Store) -> None:
    memory = memory_on(store)
    assert await memory.write("alice", "a1", response())
    assert await memory.read(["a1", "a2"]) == [RecalledResponse(response(), None), None]
    assert await memory.write_end("alice", "a1", END)
    (recalled,) = await memory.read(["a1"])
    assert recalled is not None
    assert (recalled.start, recalled.end) == (response(), END)


async def test_what_is_long_is_admitted_before_it_is_read(store: Store) -> None:
    memory, texts, admitted = memory_on(store), {"a1": "x", "a2": "y" * 2 * LARGE, "a3": "z"}, list[int]()
    for answer, text in texts.items():
        await memory.write("alice", answer, response(text, size=7, named=True))
        await memory.write_end("alice", answer, END)

    async def admit(size: int) -> None:
        admitted.append(size)
        if size > 2 * LARGE:
            raise StoreUnavailableError("no room")

    with pytest.raises(StoreUnavailableError):
        await memory.read([*texts], admit)
    assert [size > 2 * LARGE for size in admitted] == [False, True]
    links = await memory.read_links([*texts, "a4"])
    assert [link and link.start.messages[0].text for link in links] == [*texts.values(), None]
    read = await memory.read([*texts])
    for link, recalled in zip(links, read, strict=False):
        assert link is not None
        assert recalled is not None
        assert (link.end, link.end_size) == (recalled.end, recalled.end_size)
        for name in ResponseLink.__struct_fields__:
            assert getattr(link.start, name) == getattr(recalled.start, name)


async def test_a_long_response_comes_back_as_it_was(store: Store) -> None:
    memory, text = memory_on(store), "é" * CHUNK
    await memory.write("alice", "a1", response(text))
    await memory.write_end("alice", "a1", Final(text))
    (recalled,) = await memory.read(["a1"])
    assert recalled is not None
    assert (recalled.start, recalled.end) == (response(text), Final(text))


async def test_a_response_lives_as_long_as_what_continues_from_it(store: Store) -> None:
    memory, commands = memory_on(store), redis_client(store)
    for number in (1, 2):
        await memory.write("alice", f"a{number}", response())
        await memory.write_end("alice", f"a{number}", END)
    longer = memory_on(store, ttl=1000)
    await longer.write("alice", "a3", response(ancestors=("a2", "a1")), ["a2", "a1"])
    for key in (keys.response_key("a1"), keys.response_end_key("a1"), keys.response_end_key("a2")):
        assert 60 < await commands.ttl(key) <= 1000
    await memory_on(store, ttl=5000).touch("alice", ["a2"])
    assert await commands.ttl(keys.response_end_key("a1")) <= 1000 < await commands.ttl(keys.response_key("a2"))


async def test_a_deleted_response_is_gone_and_its_late_end_too(store: Store) -> None:
    memory = memory_on(store)
    await memory.write("alice", "a1", response())
    assert not await memory.is_deleted("a1")
    await memory.delete("alice", "a1")
    assert await memory.is_deleted("a1")
    assert not await memory.write_end("alice", "a1", END)
    assert await memory.read(["a1"]) == [None]
    assert await redis_client(store).get(keys.response_end_key("a1")) is None
    assert await counted(store) == {"all": RESPONSE_BYTES, "responses": RESPONSE_BYTES}


async def test_a_clients_oldest_responses_make_room_and_no_others_do(store: Store) -> None:
    memory = memory_on(store, store_bytes=4 * 10_000)
    await memory.write("bob", "b", sized(2000))
    for number in range(4):
        await memory.write("alice", f"a{number}", sized(1500))
    assert await found(memory, "a0", "a1", "a2", "a3", "b") == ["a2", "a3", "b"]
    await memory.write("alice", "a4", sized(1500), ["a2"])
    assert await found(memory, "a2", "a3", "a4") == ["a2", "a4"]
    assert await counted(store) == {"all": 5000, "responses": 5000}


async def test_many_small_responses_make_room_for_a_large_one(store: Store) -> None:
    memory = memory_on(store, store_bytes=16_000_000)
    names = [f"a{number}" for number in range(450)]
    for name in names:
        await memory.write("alice", name, sized(4000))
    assert await memory.write("alice", "large", sized(1_500_000))
    assert await found(memory, names[-100], "large", names[0]) == [names[-100], "large"]
    assert (await counted(store))["responses"] == await strings(store) <= 2_000_000


async def test_what_has_no_room_is_not_there_and_takes_none(store: Store) -> None:
    memory = memory_on(store, store_bytes=4 * 10_000)
    assert not await memory.write("alice", "a1", sized(5001))
    assert await memory.write("alice", "a2", sized(4000))
    assert not await memory.write_end("alice", "a2", Final("x" * 2000))
    assert await found(memory, "a1", "a2") == []
    assert await strings(store) == 0
    assert await counted(store) == {}


async def test_while_redis_is_nearly_full_nothing_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = memory_on(store)
    monkeypatch.setattr("wire.store_memory.MemoryUse.is_full", True)
    assert not await memory.write("alice", "a1", response())
    assert not await memory.write_end("alice", "a1", END)
    assert await strings(store) == 0


async def test_a_response_that_this_version_can_not_read_is_none(store: Store) -> None:
    memory = memory_on(store)
    await memory.write("alice", "a1", response())
    await redis_client(store).set(keys.response_key("a1"), b"{")
    assert await memory.read(["a1"]) == [None]


async def test_without_redis_it_says_so() -> None:
    store = Store("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailableError):
        await memory_on(store).write("alice", "a1", response())
    await store.close()


async def test_an_answer_that_ends_in_another_way_takes_the_end_back(scenario: Scenario) -> None:
    memory = memory_on(scenario.store)
    await scenario.hire("w1")
    for late in (False, True):
        await scenario.ask()
        task = await scenario.sent("w1")
        await memory.write(task.lease.token, task.answer, response())
        if not late:
            await memory.write_end(task.lease.token, task.answer, END)
        await scenario.jobs.stop(task.answer)
        if late:
            await memory.write_end(task.lease.token, task.answer, END)
        await scenario.sessions.finish(task, "DONE", END, b"s")
        (recalled,) = await memory.read([task.answer])
        assert recalled is not None
        assert recalled.end is None


async def test_the_end_that_a_worker_has_kept_goes_with_it_if_it_dies(scenario: Scenario) -> None:
    memory = memory_on(scenario.store)
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    await scenario.settle()
    await scenario.ask()
    task = await scenario.sent("w1")
    await memory.write(task.lease.token, task.answer, response())
    await memory.write_end(task.lease.token, task.answer, END)
    await scenario.kill("w1")
    await scenario.sessions.reap("w2", "w1")
    (recalled,) = await memory.read([task.answer])
    assert recalled is not None
    assert recalled.end is None


async def test_a_worker_that_has_lost_its_lease_takes_the_end_back(scenario: Scenario) -> None:
    memory = memory_on(scenario.store)
    await scenario.hire("w1")
    await scenario.hire("w2", may_judge=True)
    await scenario.settle()
    await scenario.ask()
    task = await scenario.sent("w1")
    await scenario.kill("w1")
    await scenario.sessions.reap("w2", "w1")
    await memory.write(task.lease.token, task.answer, response())
    await memory.write_end(task.lease.token, task.answer, END)
    with pytest.raises(LeaseLostError):
        await scenario.sessions.finish(task, "DONE", END, b"s")
    assert await scenario.redis.get(keys.response_end_key(task.answer)) is None


async def test_an_end_that_was_written_and_one_of_a_stopped_answer_stay(scenario: Scenario) -> None:
    memory = memory_on(scenario.store)
    await scenario.hire("w1")
    stopped = Final("half", stopped=True)
    for end in (END, stopped):
        await scenario.ask()
        task = await scenario.sent("w1")
        await memory.write(task.lease.token, task.answer, response())
        if end is stopped:
            await scenario.jobs.stop(task.answer)
            await memory.write_end(task.lease.token, task.answer, stopped, written=True)
        else:
            await memory.write_end(task.lease.token, task.answer, END)
        await scenario.sessions.finish(task, "DONE", END, b"s")
        (recalled,) = await memory.read([task.answer])
        assert recalled is not None
        assert recalled.end == end


@pytest.mark.parametrize(
    ("dialect", "stored", "ends_here"), [("responses", True, True), ("responses", False, False), ("chat", True, False)]
)
def test_ends_are_for_responses_that_are_stored(dialect: Any, stored: bool, ends_here: bool) -> None:
    assert is_stored_response(Prompted("balanced", "", prompt=Prompt(dialect, "m", ()), stored=stored)) is ends_here


WRITES = st.lists(
    st.tuples(
        st.sampled_from(("write", "end", "delete")),
        st.sampled_from("abc"),
        st.sampled_from("1234"),
        st.integers(800, 1500),
    ),
    max_size=15,
)


@given(WRITES)
async def test_what_counts_is_what_is_there(writes: list[tuple[str, str, str, int]]) -> None:
    store = Store("memory://")
    memory = memory_on(store, store_bytes=4 * 8000)
    for what, client, number, size in writes:
        answer = client + number
        if what == "write":
            await memory.write(client, answer, sized(size))
        elif what == "end":
            await memory.write_end(client, answer, Final("x" * size))
        else:
            await memory.delete(client, answer)
        assert await strings(store) <= 8000
    sums = (await counted(store)).get("responses", 0)
    assert await strings(store) <= sums + 10
    assert sums <= 8000
    await store.close()
