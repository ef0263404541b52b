"""The socket that a gateway listens on."""

import socket
import sys

import pytest

from gateway.http.listener import address_of, listen, stop_connections
from tests.support.prerequisites import unavailable


@pytest.fixture
def listening() -> socket.socket:
    if sys.platform != "linux":
        unavailable("Linux")
    return listen("127.0.0.1", 0)


def test_its_address_is_a_url(listening: socket.socket) -> None:
    with listening:
        assert address_of(listening) == f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_a_connection_that_has_begun_is_accepted_after_the_stop(listening: socket.socket) -> None:
    with listening, socket.create_connection(listening.getsockname()) as client:
        stop_connections(listening)
        accepted, _ = listening.accept()
        with accepted:
            client.sendall(b"asked")
            assert accepted.recv(5) == b"asked"
            accepted.sendall(b"told")
            assert client.recv(4) == b"told"


def test_no_connection_begins_after_the_stop(listening: socket.socket) -> None:
    with listening:
        stop_connections(listening)
        with pytest.raises(TimeoutError):
            socket.create_connection(listening.getsockname(), timeout=0.3)


def test_who_comes_after_the_stop_meets_whoever_takes_the_port_over(listening: socket.socket) -> None:
    name = listening.getsockname()
    stop_connections(listening)
    with socket.socket() as client:
        client.setblocking(False)
        client.connect_ex(name)
        listening.close()
        with listen(*name) as next_one:
            next_one.settimeout(10)
            accepted, address = next_one.accept()
            accepted.close()
            assert address == client.getsockname()
