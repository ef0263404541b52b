"""Lines that separate processes from each other, by which process is at the other end."""

import socket
from collections.abc import Iterator
from typing import TypeAlias

import pytest

from tests.support.conditions import SOON
from tests.support.faults.network import Network
from tests.support.faults.redis_node import RedisNode
from tests.support.processes import wait_until
from tests.support.tcp_proxy import ProxyThread

pytestmark = pytest.mark.faults
Started: TypeAlias = tuple[Network, RedisNode, RedisNode]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A server and its replica, and the lines to them."""
    folder = tmp_path_factory.mktemp("network")
    with ProxyThread() as proxy_thread:
        network = Network(proxy_thread)
        server = RedisNode("server", folder, network, [], {"repl-diskless-sync-delay": 0, "save": '""'})
        replica = RedisNode("replica", folder, network, [], {"replicaof": f"127.0.0.1 {server.port}", "save": '""'})
        try:
            for node in (server, replica):
                node.start()
                wait_until(node.answers, f"{node.name} answers")
            yield network, server, replica
        finally:
            replica.end()
            server.end()


@pytest.fixture
def server(started: Started) -> RedisNode:
    network, server, replica = started
    network.heal()
    wait_until(lambda: replica.has_caught_up(server), "the replica has all")
    return server


@pytest.fixture
def replica(started: Started) -> RedisNode:
    return started[2]


@pytest.fixture
def network(started: Started) -> Network:
    return started[0]


@pytest.fixture
def client(server: RedisNode) -> Iterator[socket.socket]:
    """A connection of this process over the server's line."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"PING\r\n")
        assert reply(client) == b"+PONG\r\n"
        yield client


def reply(client: socket.socket) -> bytes:
    client.settimeout(SOON)
    return client.recv(100)


def is_silent(client: socket.socket) -> bool:
    client.settimeout(0.2)
    try:
        client.recv(100)
    except TimeoutError:
        return True
    return False


def acknowledged(server: RedisNode) -> bool:
    """Whether the replica acknowledges what `server.client` wrote, within 0.2 s."""
    return bool(server.client.execute_command("WAIT", 1, 200))  # type: ignore[no-untyped-call]


def test_a_split_separates_a_process_from_all_others(
    network: Network, server: RedisNode, replica: RedisNode, client: socket.socket
) -> None:
    network.split(server)
    server.client.set("split", "1")
    client.sendall(b"PING\r\n")
    assert not acknowledged(server)
    assert is_silent(client)
    assert replica.client.get("split") is None


def test_processes_on_one_side_of_a_split_reach_each_other(
    network: Network, server: RedisNode, replica: RedisNode, client: socket.socket
) -> None:
    network.split(server, replica)
    server.client.set("side", "1")
    client.sendall(b"PING\r\n")
    wait_until(lambda: acknowledged(server), "the replica has it")
    assert is_silent(client)


def test_a_connection_begun_during_a_split_passes_nothing(network: Network, server: RedisNode) -> None:
    network.split(server)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"SET new 1\r\n")
        assert is_silent(client)
        network.heal()
        with pytest.raises(ConnectionResetError):
            reply(client)
    assert server.client.get("new") is None


def test_what_was_on_its_way_in_a_split_arrives_after_it(
    network: Network, server: RedisNode, replica: RedisNode, client: socket.socket
) -> None:
    synchronised = server.client.info("stats")["sync_full"]
    network.split(server)
    server.client.set("late", "1")
    client.sendall(b"PING\r\n")
    assert not acknowledged(server)
    network.heal()
    assert reply(client) == b"+PONG\r\n"
    wait_until(lambda: replica.client.get("late") == "1", "it arrives")
    assert server.client.info("stats")["sync_full"] == synchronised


def test_a_split_replaces_the_one_before(network: Network, server: RedisNode, client: socket.socket) -> None:
    network.split(server)
    client.sendall(b"PING\r\n")
    assert is_silent(client)
    network.split()
    assert reply(client) == b"+PONG\r\n"


def test_a_split_that_was_healed_does_not_come_back(
    network: Network, server: RedisNode, replica: RedisNode, client: socket.socket
) -> None:
    network.split(server)
    network.heal()
    network.hold(replica, server.line)
    client.sendall(b"PING\r\n")
    assert reply(client) == b"+PONG\r\n"


def test_a_reader_that_is_held_gets_nothing_while_others_do(
    network: Network, server: RedisNode, replica: RedisNode, client: socket.socket
) -> None:
    network.hold(replica, server.line)
    server.client.set("held", "1")
    assert not acknowledged(server)
    client.sendall(b"GET held\r\n")
    assert reply(client) == b"$1\r\n1\r\n"
    assert replica.client.get("held") is None
    network.heal()
    wait_until(lambda: replica.client.get("held") == "1", "the replica has it")


def test_a_process_that_was_started_anew_is_still_on_its_side(
    network: Network, server: RedisNode, replica: RedisNode
) -> None:
    network.split(replica)
    replica.kill()
    accepted = server.line.accepted
    replica.start()
    wait_until(lambda: server.line.accepted > accepted, "it has tried to reach its primary")
    assert not replica.follows(server)
    network.heal()
    wait_until(lambda: replica.follows(server), "it follows again")
