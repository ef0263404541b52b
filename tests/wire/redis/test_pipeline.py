"""Scripts on one connection: its replacement, and what is tried again."""

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.connection import RedisConnection, connect
from wire.redis.pipeline import Pipeline
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("turns", [0, 1, 3, 10])
async def test_scripts_that_start_before_there_is_a_pipeline_share_one(valkey_store: Store, turns: int) -> None:
    """Half of them start so many turns of the event loop later, while it connects."""

    async def pipelines() -> int:
        return len([client for client in await redis_client(valkey_store).client_list() if client["cmd"] == "evalsha"])

    for _ in range(5):
        key = keys.log_key("s0-none")
        args = (keys.prefix(), 1, "s0-none", 1, b"event", "token worker 1")
        started = [valkey_store.start("append", key, *args, read=sum) for _ in range(50)]
        for _ in range(turns):
            await asyncio.sleep(0)
        started += [valkey_store.start("append", key, *args, read=sum) for _ in range(50)]
        assert set(await asyncio.gather(*started)) == {-1}
        assert await pipelines() == 1


async def test_a_pipeline_that_is_lost_is_replaced(valkey_store: Store) -> None:
    key = keys.log_key("s0-none")
    args = (keys.prefix(), 1, "s0-none", 1, b"event", "token worker 1")
    assert await valkey_store.start("append", key, *args, read=sum) == -1
    await redis_client(valkey_store).client_kill_filter(_type="normal", skipme=True)

    async def works() -> bool:
        try:
            return await valkey_store.start("append", key, *args, read=sum) == -1
        except StoreUnavailableError:
            return False

    await until(works)


async def test_a_redis_that_has_forgotten_its_scripts_gets_them_again(valkey_store: Store) -> None:
    key = keys.log_key("s0-none")
    args = (keys.prefix(), 1, "s0-none", 1, b"event", "token worker 1")
    assert await valkey_store.start("append", key, *args, read=sum) == -1
    await redis_client(valkey_store).script_flush()
    with pytest.raises(StoreUnavailableError, match="NOSCRIPT"):
        await valkey_store.start("append", key, *args, read=sum)
    assert await valkey_store.start("append", key, *args, read=sum) == -1


async def test_what_is_pending_when_it_is_closed_opens_no_other_connection(valkey_store: Store) -> None:
    """Neither its repeat does, nor a command that was to be the first on a new connection."""

    async def count_connections() -> int:
        return len(await redis_client(valkey_store).client_list())

    before = await count_connections()
    pipeline = Pipeline(partial(connect, valkey_store._url, 5.0, 5.0), 5.0, {})
    blocking = asyncio.create_task(pipeline.execute("BLPOP", "nothing", 0))
    await until(lambda: is_blocked(valkey_store), "it blocks")
    await pipeline.close()
    late = asyncio.create_task(pipeline.execute("PING"))
    for command in (blocking, late):
        with pytest.raises(StoreUnavailableError, match="closed"):
            await command
    assert await count_connections() == before


async def test_a_command_that_comes_as_a_connection_is_made_opens_no_second_one(valkey_store: Store) -> None:
    made: list[RedisConnection] = []
    gate = asyncio.Event()

    async def connect_slowly() -> RedisConnection:
        made.append(await connect(valkey_store._url, 5.0, 5.0))
        await gate.wait()
        return made[-1]

    pipeline = Pipeline(connect_slowly, 5.0, {})
    first = pipeline._start(lambda connection: connection.execute("PING", read=bytes))
    await until(lambda: len(made) == 1, "it connects")
    gate.set()
    second = pipeline._start(lambda connection: connection.execute("PING", read=bytes))
    assert (await first, await second, len(made)) == (b"PONG", b"PONG", 1)
    await pipeline.close()


async def test_a_command_whose_connection_was_not_begun_when_it_was_closed_fails(valkey_store: Store) -> None:
    pipeline = Pipeline(partial(connect, valkey_store._url, 5.0, 5.0), 5.0, {})
    command = pipeline._start(lambda connection: connection.execute("PING", read=bytes))
    await pipeline.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await command
    assert pipeline._connection is None


async def is_blocked(store: Store) -> bool:
    return bool((await redis_client(store).info("clients"))["blocked_clients"])


async def runs(store: Store) -> tuple[int, int]:
    """How often Redis has been sent a script's text, and how often its hash."""
    stats: Any = await redis_client(store).info("commandstats")
    texts, hashes = (int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("eval", "evalsha"))
    return texts, hashes


async def test_what_redis_itself_refuses_is_not_tried_again(valkey_store: Store) -> None:
    await redis_client(valkey_store).set("k", "no hash")
    texts, hashes = await runs(valkey_store)
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        await valkey_store.run("place", "k", "p", "s0-none")
    assert await runs(valkey_store) == (texts + 1, hashes)


async def test_who_waits_for_a_script_does_not_notice_that_it_had_been_forgotten(valkey_store: Store) -> None:
    assert await valkey_store.run("place", "none", keys.prefix(), "s0-none") is None
    await redis_client(valkey_store).script_flush()
    assert await valkey_store.run("place", "none", keys.prefix(), "s0-none") is None


async def test_a_text_is_sent_once_a_connection(valkey_store: Store) -> None:
    texts, hashes = await runs(valkey_store)
    for _ in range(3):
        await valkey_store.run("place", "none", keys.prefix(), "s0-none")
    assert await runs(valkey_store) == (texts + 1, hashes + 2)


async def test_one_that_leaves_while_connecting_takes_nobody_along(valkey_store: Store) -> None:
    left, stays = (asyncio.create_task(valkey_store.run("place", "none", keys.prefix(), "s0-none")) for _ in range(2))
    await asyncio.sleep(0)
    left.cancel()
    assert await stays is None


async def test_a_command_goes_over_the_same_connection_and_is_replied_to_as_redis_replies(valkey_store: Store) -> None:
    await valkey_store.run("place", "none", keys.prefix(), "s0-none")
    clients = len(await redis_client(valkey_store).client_list())
    await valkey_store.execute("HSET", "k", "a", "1")
    assert await valkey_store.execute("HMGET", "k", "a", "b") == [b"1", None]
    assert len(await redis_client(valkey_store).client_list()) == clients


async def test_memory_replies_to_a_command_as_redis_does(valkey_store: Store) -> None:
    memory = Store("memory://")
    for command in (("XADD", "s", "1-0", "e", "x"), ("XRANGE", "s", "0-1", "+", "COUNT", 5), ("XRANGE", "t", "-", "+")):
        assert await memory.execute(*command) == await valkey_store.execute(*command)
    await memory.close()


async def test_who_waits_for_a_command_does_not_notice_that_the_connection_was_lost(valkey_store: Store) -> None:
    await valkey_store.execute("SET", "k", "v")
    waiting = asyncio.create_task(valkey_store.execute("BLPOP", "never", 0.3))
    await asyncio.sleep(0)
    await redis_client(valkey_store).client_kill_filter(_type="normal", skipme=True)
    assert await waiting is None
    assert await valkey_store.execute("GET", "k") == b"v"


async def test_a_command_that_redis_refuses_is_not_tried_again(valkey_store: Store) -> None:
    async def refused() -> int:
        stats: Any = await redis_client(valkey_store).info("commandstats")
        return int(stats.get("cmdstat_hlen", {"failed_calls": 0})["failed_calls"])

    await valkey_store.execute("SET", "k", "no hash")
    before = await refused()
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        await valkey_store.execute("HLEN", "k")
    assert await refused() == before + 1
