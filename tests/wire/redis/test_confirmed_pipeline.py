"""What counts only once a replica has it, with real servers."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import structlog

from tests.support.conditions import until
from tests.support.replicated_servers import ReplicatedServers
from tests.support.scripted_redis import scripted_redis
from wire import keys
from wire.errors import StoreUnavailableError, UnconfirmedError
from wire.redis.confirmed_pipeline import ConfirmedPipeline
from wire.redis.connection import Argument, connect
from wire.redis.store import Store

pytestmark = pytest.mark.anyio
KEY = keys.looks_key()


@pytest.fixture
async def store(servers: ReplicatedServers, anyio_backend: str) -> AsyncIterator[Store]:
    """A store on the primary."""
    store = Store(servers.url)
    yield store
    await store.close()


async def touch(store: Store) -> bool:
    """Write something that counts once a replica has it. UnconfirmedError."""
    return bool(await store.run_confirmed("touch", KEY, keys.prefix()))


async def test_a_reply_counts_once_a_replica_has_what_was_written(servers: ReplicatedServers, store: Store) -> None:
    """Also the first, before anything is known of replicas."""
    for times in (1, 2):
        assert await touch(store)
        assert servers.replica.client().exists(KEY)
        assert servers.count_waits() == times


async def test_what_starts_together_waits_together(servers: ReplicatedServers, store: Store) -> None:
    await touch(store)
    before = servers.count_waits()
    await asyncio.gather(*(touch(store) for _ in range(20)))
    assert servers.count_waits() - before <= 2


async def test_where_no_replica_has_it_in_time_that_is_an_error_and_nothing_else_waits(
    servers: ReplicatedServers, store: Store
) -> None:
    """It is logged once, and so is its end."""
    await touch(store)
    with structlog.testing.capture_logs() as logs:
        with servers.frozen_replica():
            confirmed = asyncio.create_task(touch(store))
            await store.run("touch", KEY, keys.prefix())
            assert not confirmed.done()
            with pytest.raises(UnconfirmedError):
                await confirmed
        await until(partial(is_confirmed, store), "the replica has caught up")
    assert [line["log_level"] for line in logs] == ["warning", "info"]


async def is_confirmed(store: Store) -> bool:
    try:
        return await touch(store)
    except UnconfirmedError:
        return False


async def test_a_replica_that_stalls_for_a_moment_makes_nothing_fail(
    servers: ReplicatedServers, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await touch(store)
    confirmed, calls = store._links_to(keys.SHARD).confirmed, list[object]()
    run = confirmed.run

    async def stalls(script: str, key: str, *args: Argument) -> object:
        calls.append(script)
        if len(calls) == 1:
            raise UnconfirmedError("no replica has it")
        return await run(script, key, *args)

    monkeypatch.setattr(confirmed, "run", stalls)
    assert await touch(store)
    assert len(calls) == 2


async def test_a_repeat_that_writes_nothing_waits_for_what_was_written_before(
    servers: ReplicatedServers, store: Store
) -> None:
    """On whatever connection."""
    await store.execute("PING")
    with servers.frozen_replica():
        await store.execute("SET", KEY, "x")
        with pytest.raises(UnconfirmedError):
            await store.run_confirmed("place", keys.job_key("s0-none"), keys.prefix(), "s0-none")


async def test_a_replica_that_has_gone_is_waited_for_until_its_server_may_be_alone(
    servers: ReplicatedServers, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await touch(store)
    servers.replica.client().replicaof("NO", "ONE")
    await until(lambda: servers.primary.client().role()[2] == [], "the primary is alone")
    with pytest.raises(UnconfirmedError):
        await touch(store)
    monkeypatch.setattr("wire.redis.replicas._LOOKS", -60.0)
    assert await touch(store)


async def test_a_server_that_is_full_confirms_what_may_be_written_then(
    servers: ReplicatedServers, store: Store
) -> None:
    await touch(store)
    servers.primary.client().config_set("maxmemory", 1)
    assert await touch(store)
    with pytest.raises(StoreUnavailableError, match="OOM"):
        await store.run_confirmed("note", keys.conversations_key(), keys.prefix())


async def test_what_a_server_says_that_became_a_replica_confirms_nothing(anyio_backend: str) -> None:
    """Its scripts were run before."""
    refusal = b"-ERR WAIT cannot be used with replica instances\r\n"
    with scripted_redis({"EVAL": b":1\r\n", "WAIT": refusal}) as port:
        open_connection = partial(connect, f"redis://127.0.0.1:{port}", 5.0, 5.0)
        pipeline = ConfirmedPipeline(open_connection, 5.0, {"touch": "", "beat": ""}, KEY, "p")
        with pytest.raises(StoreUnavailableError, match="replica instances"):
            await pipeline.run("beat", KEY)
        await pipeline.close()


async def test_a_server_that_forbids_to_wait_takes_what_it_always_took(servers: ReplicatedServers) -> None:
    """With one warning."""
    client: Any = servers.primary.client()
    client.acl_setuser("few", enabled=True, passwords=["+p"], keys=["bing:*"], commands=["+@all", "-wait"])
    store = Store(servers.url.replace("redis://", "redis://few:p@"))
    await store.execute("PING")
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            assert await touch(store)
    assert [line["event"] for line in logs] == ["redis forbids WAIT: a fail-over may lose accepted questions"]
    await store.close()


async def test_without_a_replica_nothing_waits(valkey_store: Store) -> None:
    await valkey_store.execute("CONFIG", "RESETSTAT")
    for _ in range(2):
        assert await touch(valkey_store)
    assert b"cmdstat_wait" not in await valkey_store.execute("INFO", "commandstats")
    assert not await valkey_store.execute("EXISTS", keys.confirmed_key(keys.SHARD))
