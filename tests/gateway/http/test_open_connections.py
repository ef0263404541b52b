"""How many connections a client may have, and how long what it has begun may take."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from gateway.answering.timings import TIMINGS
from gateway.auth.addresses import parse_networks
from gateway.http.open_connections import ArrivalTimes, OpenConnections
from tests.support.conditions import until
from tests.support.gateway.connection import HANDSHAKE, connected
from tests.support.gateway.harness import RunningGateway, body_of, running, settings
from wire.redis.store import Store

pytestmark = pytest.mark.anyio
in_memory = pytest.mark.parametrize("store_url", ["memory://"])

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n"
AT_ONCE = 0.02
BRIEF = replace(TIMINGS, head_limit=AT_ONCE)


@dataclass
class Waiting:
    """A connection that is given up at the so-many-th time."""

    closed: list[str]
    name: str
    refusals: int = 0
    asked: int = field(default=0)

    def give_up(self) -> bool:
        self.asked += 1
        if self.asked <= self.refusals:
            return False
        self.closed.append(self.name)
        return True

    def __hash__(self) -> int:
        return id(self)


async def test_what_comes_too_late_is_given_up_in_its_order() -> None:
    closed: list[str] = []
    times = ArrivalTimes(AT_ONCE)
    waiting = {name: Waiting(closed, name) for name in "abcd"}
    for connection in waiting.values():
        times.begin(connection)
    times.end(waiting["b"])
    times.renew(waiting["a"])
    await until(lambda: closed == ["c", "d", "a"])


async def test_who_need_not_be_given_up_yet_has_its_time_anew() -> None:
    closed: list[str] = []
    times, patient = ArrivalTimes(AT_ONCE), Waiting(closed, "patient", refusals=2)
    times.begin(patient)
    await until(lambda: closed == ["patient"])
    assert patient.asked == 3


async def test_a_time_that_runs_already_is_not_given_anew() -> None:
    """Who sends a byte now and then has no more time than the others."""
    closed: list[str] = []
    times, slow, other = ArrivalTimes(AT_ONCE), Waiting(closed, "slow"), Waiting(closed, "other")
    times.begin(slow)
    times.begin(other)
    due = times._due[slow]
    await until(lambda: asyncio.get_running_loop().time() > due - AT_ONCE)
    times.begin(slow)
    assert times._due[slow] == due
    await until(lambda: closed == ["slow", "other"])


def test_each_client_has_its_connections_and_a_trusted_proxy_any_number() -> None:
    connections = OpenConnections(1, parse_networks("10.0.0.0/8"), clock=lambda: 0.0)
    peers = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "::ffff:192.0.2.1"]
    assert [connections.enter(peer) for peer in peers] == [True, False, True, True, False, False]
    assert all(connections.enter("10.1.2.3") for _ in range(9))
    connections.leave("192.0.2.1")
    connections.leave("10.1.2.3")
    assert [connections.enter("192.0.2.1"), connections.enter("192.0.2.1")] == [True, False]
    for peer in ("192.0.2.1", "192.0.2.2", "2001:db8::9"):
        connections.leave(peer)
    assert not connections._counts


def test_of_clients_with_too_many_one_line_a_minute_is_logged() -> None:
    times = iter((0.0, 1.0, 59.0, 60.0))
    connections = OpenConnections(1, clock=lambda: next(times))
    with capture_logs() as logs:
        for _ in range(5):
            connections.enter("192.0.2.1")
    assert [(line["client"], line["limit"]) for line in logs] == [("192.0.2.1", 1)] * 2


@in_memory
@pytest.mark.parametrize("sent", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: g\r\nx-some: ", b"\r\n"])
async def test_a_connection_without_a_whole_head_is_closed_in_time(store: Store, sent: bytes) -> None:
    async with running(store, timings=BRIEF) as gateway:
        assert await gateway.raw(sent) == b""


@in_memory
async def test_a_head_that_comes_byte_by_byte_has_no_more_time(store: Store) -> None:
    async with running(store, timings=BRIEF) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        reading = asyncio.create_task(reader.read())

        def is_closed() -> bool:
            writer.write(b"x")
            return reading.done()

        await until(is_closed)
        (outcome,) = await asyncio.gather(reading, return_exceptions=True)
        assert outcome == b"" or isinstance(outcome, ConnectionError)
        writer.close()


@in_memory
async def test_the_rest_of_a_body_that_nobody_reads_is_waited_for_in_time(store: Store) -> None:
    async with running(store, timings=replace(TIMINGS, body_limit=AT_ONCE)) as gateway:
        reply = await gateway.raw(b"GET /healthz HTTP/1.1\r\nHost: g\r\nContent-Length: 10\r\n\r\nx")
    assert reply.startswith(b"HTTP/1.1 200 ")


async def until_closed(connections: OpenConnections) -> None:
    """Wait until a connection that has begun now is closed, and every older one that had to be."""
    protocol, transport = connected(connections)
    protocol.data_received(b"GET /")
    await until(lambda: transport.closed)
    protocol.connection_lost(None)


@pytest.mark.parametrize(
    ("sent", "closed"),
    [
        (HEALTH, False),
        (HEALTH * 3, False),
        (HANDSHAKE, False),
        (HEALTH + b"GET /", True),
        (HEALTH + b"\r\n", False),
        (b"GET /slow HTTP/1.1\r\n\r\nGET /", False),
        (b"POST /slow HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", False),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", True),
        (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789", False),
    ],
)
async def test_only_what_has_begun_has_to_arrive_and_no_answer_is_cut(sent: bytes, closed: bool) -> None:
    connections = OpenConnections(3, head_limit=AT_ONCE, body_limit=AT_ONCE)
    protocol, transport = connected(connections)
    protocol.data_received(sent)
    for _ in range(3):
        await until_closed(connections)
    assert transport.closed == closed
    transport.get_protocol().connection_lost(None)
    assert [*connections.heads._due, *connections.bodies._due, *connections._counts] == []


@in_memory
async def test_a_client_with_too_many_connections_gets_503_until_one_is_closed(store: Store) -> None:
    async with running(store, settings(connection_limit=2)) as gateway:
        async with gateway.socket("/ws"):
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            response = await until(lambda: gateway.raw(b""))
            assert response.startswith(b"HTTP/1.1 503 ")
            assert body_of(response) == '{"code": 503, "message": "服务繁忙,请稍后再试"}'.encode()
            writer.close()
            await until(lambda: answers(gateway))
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        await until(lambda: answers(gateway))
        writer.close()


async def answers(gateway: RunningGateway) -> bool:
    """Whether a new connection is served."""
    return b"HTTP/1.1 200 " in await gateway.raw(b"GET /healthz HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")


@in_memory
async def test_a_trusted_proxy_is_not_counted(store: Store) -> None:
    config = settings(connection_limit=1, trusted_proxies="127.0.0.1")
    async with running(store, config) as gateway, gateway.socket("/ws"):
        assert await answers(gateway)
