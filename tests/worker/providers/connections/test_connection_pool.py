import ssl

import pytest

from tests.support.conditions import until
from tests.support.worker.silent_transport import SilentTransport
from worker.providers.connections.connection_pool import ConnectionPool
from worker.providers.connections.http_connection import HttpConnection

pytestmark = pytest.mark.anyio

NEVER = 3600.0
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class _Network:
    """Opens connections to nothing."""

    def __init__(self) -> None:
        self.transports: list[SilentTransport] = []

    async def open(self, _: ssl.SSLSession | None) -> HttpConnection:
        connection = HttpConnection()
        self.transports.append(SilentTransport(connection))
        return connection


async def answered(pool: ConnectionPool, response: bytes = RESPONSE) -> HttpConnection:
    """A connection on which a question was asked and answered."""
    connection = await pool.take()
    connection.ask(b"q")
    connection.data_received(response)
    return connection


async def trusted(network: _Network, idle: float = NEVER) -> ConnectionPool:
    """A pool of a server that was seen to keep its connections."""
    pool = ConnectionPool(network.open, idle=idle, proof=0.0)
    pool.give_back(await answered(pool), is_read=True)
    await until(lambda: network.transports[0].is_lost, "the connection on trial has passed")
    return pool


async def test_none_is_reused_of_a_server_that_was_not_seen_to_keep_them() -> None:
    network = _Network()
    pool = ConnectionPool(network.open, proof=NEVER)
    connections = [await answered(pool) for _ in range(3)]
    for connection in connections:
        pool.give_back(connection, is_read=True)
    assert await pool.take() not in connections
    # One is on trial.
    await until(lambda: [transport.is_lost for transport in network.transports] == [False, True, True, False])
    pool.close()


async def test_the_latest_is_reused_of_a_server_that_keeps_them() -> None:
    network = _Network()
    pool = await trusted(network)
    first, second = [await answered(pool) for _ in range(2)]
    pool.give_back(first, is_read=True)
    pool.give_back(second, is_read=True)
    assert [await pool.take(), await pool.take()] == [second, first]
    assert await pool.take() not in (first, second)
    pool.close()


async def test_a_server_that_closes_the_one_on_trial_keeps_none() -> None:
    network = _Network()
    pool = ConnectionPool(network.open, proof=0.0)
    pool.give_back(await answered(pool), is_read=True)
    network.transports[0].lose()
    connection = await answered(pool)
    pool.give_back(connection, is_read=True)
    assert await pool.take() is not connection
    pool.close()


async def test_a_server_that_closes_an_idle_one_keeps_none_any_more() -> None:
    network = _Network()
    pool = await trusted(network)
    connections = [await answered(pool) for _ in range(3)]
    for connection in connections:
        pool.give_back(connection, is_read=True)
    network.transports[2].lose()
    further = await answered(pool)
    assert further not in connections
    await until(lambda: all(transport.is_lost for transport in network.transports[:4]))
    pool.give_back(further, is_read=True)
    assert await pool.take() is not further
    pool.close()


async def test_a_cut_of_a_reused_one_ends_the_trust() -> None:
    network = _Network()
    pool = await trusted(network)
    idle = await answered(pool)
    pool.give_back(idle, is_read=True)
    pool.note_cut()
    assert await pool.take() is not idle
    await until(lambda: network.transports[1].is_lost)
    pool.close()


async def test_an_idle_one_is_closed_in_time() -> None:
    network = _Network()
    pool = await trusted(network, idle=0.0)
    pool.give_back(await answered(pool), is_read=True)
    await until(lambda: network.transports[1].is_lost)


async def test_one_that_was_not_read_to_the_end_is_closed_at_once() -> None:
    network = _Network()
    pool = await trusted(network)
    pool.give_back(await answered(pool, RESPONSE[:-1]), is_read=False)
    assert network.transports[1].is_closing()


async def test_one_whose_response_does_not_end_is_closed_shortly() -> None:
    network = _Network()
    pool = await trusted(network)
    pool.give_back(await answered(pool, RESPONSE[:-1]), is_read=True)
    assert not network.transports[1].is_closing()
    await until(lambda: network.transports[1].is_lost)


async def test_one_whose_response_ends_later_is_reused() -> None:
    network = _Network()
    pool = await trusted(network)
    connection = await answered(pool, RESPONSE[:-1])
    pool.give_back(connection, is_read=True)
    connection.data_received(RESPONSE[-1:])
    assert await pool.take() is connection
    pool.close()


@pytest.mark.parametrize("close", [b"HTTP/1.0 200 OK", b"HTTP/1.1 200 OK\r\nConnection: close"])
async def test_one_that_its_server_does_not_keep_is_closed_at_once(close: bytes) -> None:
    network = _Network()
    pool = await trusted(network)
    pool.give_back(await answered(pool, RESPONSE.replace(b"HTTP/1.1 200 OK", close)), is_read=True)
    assert network.transports[1].is_closing()


async def test_a_closed_pool_keeps_none() -> None:
    network = _Network()
    pool = await trusted(network)
    idle, lent = await answered(pool), await answered(pool)
    pool.give_back(idle, is_read=True)
    pool.close()
    assert [transport.is_closing() for transport in network.transports] == [True, True, False]
    pool.give_back(lent, is_read=True)
    assert network.transports[2].is_closing()
    await until(lambda: all(transport.is_lost for transport in network.transports))


async def test_a_burst_leaves_a_bounded_number() -> None:
    network = _Network()
    pool = await trusted(network)
    connections = [await answered(pool) for _ in range(150)]
    for connection in connections:
        pool.give_back(connection, is_read=True)
    assert sum(not transport.is_closing() for transport in network.transports) == 100
    pool.close()
