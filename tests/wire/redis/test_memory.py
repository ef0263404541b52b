"""Redis inside the process."""

import asyncio
from typing import Any

import pytest
from fakeredis import FakeServer
from fakeredis.aioredis import FakeRedis

from tests.support.conditions import until
from wire.errors import StoreUnavailableError
from wire.redis.memory import MemoryConnection, MemoryPipeline

pytestmark = pytest.mark.anyio

SOURCES = {"give": "return {ARGV[1], KEYS[1]}", "fail": "return redis.call('hget', KEYS[1])"}


async def test_scripts_and_commands_reply_as_redis_does() -> None:
    pipeline = MemoryPipeline(FakeRedis(server=FakeServer()), SOURCES)
    assert await pipeline.run("give", "k", "v") == [b"v", b"k"]
    assert await pipeline.start("give", "k", "v", read=len) == 2
    assert await pipeline.execute("SET", "k", "v") == b"OK"
    await pipeline.close()


async def test_what_a_script_raises_is_our_error() -> None:
    pipeline = MemoryPipeline(FakeRedis(server=FakeServer()), SOURCES)
    with pytest.raises(StoreUnavailableError):
        await pipeline.run("fail", "k")
    await pipeline.close()


async def test_only_subscribed_channels_are_heard() -> None:
    client = FakeRedis(server=FakeServer())
    heard: list[Any] = []
    connection = MemoryConnection(client.pubsub(), heard.append)
    connection.send("SUBSCRIBE", "a", "b")
    await until(lambda: len(heard) == 2)
    await client.publish("a", "1")
    await until(lambda: len(heard) == 3)
    connection.send("UNSUBSCRIBE", "a")
    await until(lambda: len(heard) == 4)
    await client.publish("a", "2")
    await client.publish("b", "3")
    await until(lambda: len(heard) == 5)
    assert [(kind, channel) for kind, channel, _ in heard[-3:]] == [
        (b"message", b"a"),
        (b"unsubscribe", b"a"),
        (b"message", b"b"),
    ]
    assert not connection.lost.done()
    await connection.close()
    await client.aclose()
    await asyncio.sleep(0)
