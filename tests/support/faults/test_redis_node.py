"""One Valkey process, as the shapes use it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults.network import Network
from tests.support.faults.redis_node import RedisNode
from tests.support.processes import wait_until
from tests.support.tcp_proxy import ProxyThread

pytestmark = pytest.mark.faults


@pytest.fixture
def network() -> Iterator[Network]:
    with ProxyThread() as proxy_thread:
        yield Network(proxy_thread)


@pytest.fixture
def node(tmp_path: Path, network: Network) -> Iterator[RedisNode]:
    """A server that takes no writes without a replica."""
    shared = tmp_path / "shared.conf"
    shared.write_text("bind 10.0.0.1\nmaxmemory 1mb\n# A comment.\nmin-replicas-to-write 1\ntimeout 7\n")
    node = RedisNode("node", tmp_path, network, [shared], {"maxmemory": "2mb", "replica-announce-port": "{port}"})
    try:
        node.start()
        wait_until(node.answers, "it answers")
        yield node
    finally:
        node.end()


def test_its_own_directives_take_the_place_of_the_files(node: RedisNode) -> None:
    expected = {"maxmemory": str(2 * 2**20), "timeout": "7", "bind": "127.0.0.1"}
    assert node.client.config_get(*expected) == expected


def test_it_announces_the_port_of_its_line(node: RedisNode) -> None:
    assert node.client.config_get("replica-announce-port")["replica-announce-port"] == str(node.port)


def test_it_is_asked_for_a_write_without_leaving_one(node: RedisNode) -> None:
    assert not node.accepts_writes()
    node.client.config_set("min-replicas-to-write", 0)
    assert node.accepts_writes()
    assert node.client.dbsize() == 0


@pytest.mark.parametrize("hurt", ["freeze", "kill"])
def test_one_that_does_not_answer_has_no_role(node: RedisNode, hurt: str) -> None:
    assert node.role == "master"
    getattr(node, hurt)()
    assert (node.role, node.answers(), node.replication()) == ("", False, {})
    node.thaw()
    node.start()
    wait_until(lambda: node.role == "master", "it answers again")
