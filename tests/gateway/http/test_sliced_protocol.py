"""What a connection reads is parsed in slices, and waits where its client rests."""

import asyncio
import itertools
from functools import partial

import pytest

from gateway.auth.addresses import parse_networks
from gateway.http.long_steps import LONG, LongSteps
from gateway.http.open_connections import OpenConnections
from gateway.http.sliced_protocol import SLICE
from gateway.http.streaming import HttpProtocol, is_idle
from tests.support.conditions import until
from tests.support.gateway.connection import HANDSHAKE, ServerTransport, connected, echo

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: g\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n"
LARGE = POST % (4 * SLICE) + b"x" * 4 * SLICE
CLIENT = "address:192.0.2.1"


def slow() -> LongSteps:
    """Return steps of which each that is measured is a long one."""
    return LongSteps(clock=(2 * number * LONG for number in itertools.count()).__next__)


def is_answered(transport: ServerTransport) -> bool:
    """Return whether a response has been sent."""
    return transport.written.startswith(b"HTTP/1.1 200 ")


async def test_a_read_that_is_a_long_step_ends_in_a_later_turn() -> None:
    protocol, transport = connected(OpenConnections(1, steps=slow()))
    protocol.data_received(LARGE + GET)
    assert (protocol.is_holding, transport.paused) == (True, True)
    await until(lambda: not protocol.is_holding)
    await until(lambda: transport.written.count(b"HTTP/1.1 200 ") == 2)
    assert not transport.paused


async def test_only_what_the_same_client_sends_waits() -> None:
    connections = OpenConnections(2, parse_networks("10.0.0.0/8"), steps=slow())
    first, _ = connected(connections)
    first.data_received(LARGE)
    for peer, waits in (("192.0.2.1", True), ("192.0.2.9", False), ("10.0.0.1", False)):
        protocol, transport = connected(connections, peer=peer)
        protocol.data_received(GET)
        assert protocol.is_holding is waits
        await until(partial(is_answered, transport))


async def test_a_trusted_proxy_has_no_turns() -> None:
    protocol, _ = connected(OpenConnections(1, parse_networks("192.0.2.1"), steps=slow()))
    protocol.data_received(LARGE)
    assert not protocol.is_holding


async def test_what_comes_in_small_pieces_is_measured_too() -> None:
    connections = OpenConnections(9, steps=slow())
    for _ in range(5):
        protocol, _ = connected(connections)
        protocol.data_received(GET)
    assert connections.reads.steps.rest_until(CLIENT)


async def test_a_connection_that_closes_while_it_waits_is_forgotten() -> None:
    connections = OpenConnections(2, steps=slow())
    lost, _ = connected(connections)
    other, _ = connected(connections)
    for protocol in (lost, other):
        protocol.data_received(LARGE)
    lost.connection_lost(None)
    assert not lost.is_holding
    assert lost not in connections.reads._waiting[CLIENT]
    await until(lambda: not other.is_holding)
    await until(lambda: not connections.reads._waiting)


async def test_the_time_of_a_head_is_longer_where_it_had_to_wait() -> None:
    steps = LongSteps()
    connections = OpenConnections(1, head_limit=0.02, steps=steps)
    protocol, transport = connected(connections)
    steps.spend(CLIENT, 0.2)
    protocol.data_received(GET)
    await until(lambda: transport.written or transport.closed)
    assert transport.written.startswith(b"HTTP/1.1 200 ")
    protocol.data_received(GET[:9])
    await until(lambda: transport.closed)


async def test_a_connection_whose_request_waits_is_not_idle() -> None:
    steps = LongSteps()
    protocol, transport = connected(OpenConnections(1, steps=steps))
    protocol.data_received(GET)
    await until(partial(is_answered, transport))
    assert protocol.timeout_keep_alive_task is not None
    steps.spend(CLIENT, 0.05)
    protocol.data_received(GET)
    assert not is_idle(protocol)
    assert protocol.timeout_keep_alive_task is None


async def test_a_handshake_that_waited_is_one() -> None:
    steps = LongSteps()
    protocol, transport = connected(OpenConnections(1, steps=steps))
    steps.spend(CLIENT, 0.01)
    protocol.data_received(HANDSHAKE)
    assert not transport.written
    await until(lambda: transport.written.startswith(b"HTTP/1.1 101 "))
    assert not transport.paused


@pytest.mark.parametrize(
    "sent",
    [
        GET[:-2] + b"a:b\r\n" * 20 * SLICE,
        GET * 10 * SLICE,
        b"?" + GET * 10 * SLICE,
        HANDSHAKE + b"x" * 20 * SLICE,
    ],
)
async def test_nothing_is_parsed_behind_a_refusal(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    slices = list[int]()
    parse = HttpProtocol.parse

    def counting(protocol: HttpProtocol, data: bytes) -> None:
        slices.append(len(data))
        parse(protocol, data)

    monkeypatch.setattr(HttpProtocol, "parse", counting)
    protocol, _ = connected()
    protocol.data_received(sent)
    await asyncio.sleep(0)
    assert slices == [SLICE]
    assert not protocol.is_holding


@pytest.mark.parametrize("ahead", [0, 1, 3])
@pytest.mark.parametrize("first", [100, SLICE - 40, SLICE, SLICE + 1])
async def test_bodies_of_pipelined_requests_come_as_they_were_sent(ahead: int, first: int) -> None:
    """Wherever a slice ends: only an address has bytes that become escapes."""
    bodies = [bytes(range(128, 256)) * (size // 128) for size in (first, 3 * SLICE, 20, 2 * SLICE)]
    protocol, transport = connected(app=echo)
    protocol.data_received(GET * ahead + b"".join(POST % len(body) + body for body in bodies))
    await until(lambda: transport.written.count(b"HTTP/1.1 200 ") == ahead + len(bodies))
    place = 0
    for body in bodies:
        place = transport.written.index(b"\r\n\r\n/ " + body, place) + len(body)
