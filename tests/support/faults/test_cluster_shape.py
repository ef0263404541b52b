"""The cluster fails over, refuses and loses writes as a real one does, whenever a test asks for it."""

from collections.abc import Iterator

import pytest

from tests.support.faults.cluster_shape import ClusterShape, running_cluster
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults
TAG = "s0"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterShape]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as shape:
        yield shape


@pytest.fixture
def shape(started: ClusterShape) -> ClusterShape:
    """The shape, whole."""
    started.restore()
    return started


def test_servers_announce_only_addresses_of_lines(shape: ClusterShape) -> None:
    nodes = shape.servers[0].client.execute_command("CLUSTER", "NODES")  # type: ignore[no-untyped-call]
    addresses = {server.port: server.bus.port for server in shape.servers}
    assert all(f"127.0.0.1:{port}@{bus}" in str(nodes) for port, bus in addresses.items())


def test_the_two_tags_lie_on_different_servers(shape: ClusterShape) -> None:
    assert shape.agreed_owner("s0") is not shape.agreed_owner("accounts")


def test_a_primary_that_is_killed_is_replaced(shape: ClusterShape) -> None:
    old, other = shape.agreed_owner(TAG), shape.agreed_owner("accounts")
    old.client.set("{s0}before", "1")
    wait_until(lambda: shape.replicas(TAG)[0].has_caught_up(old), "the replica has it")
    new = shape.kill_owner(TAG)
    assert new is not old
    assert new.client.get("{s0}before") == "1"
    assert shape.agreed_owner("accounts") is other


def test_a_planned_fail_over_loses_nothing(shape: ClusterShape) -> None:
    old = shape.agreed_owner(TAG)
    old.client.set("{s0}planned", "1")
    new = shape.fail_over(TAG)
    assert new is not old
    assert new.client.get("{s0}planned") == "1"
    shape.await_demotion(TAG, old)


def test_a_primary_that_is_split_off_refuses_writes(shape: ClusterShape) -> None:
    old = shape.agreed_owner(TAG)
    shape.network.split(old)
    shape.successor(TAG, old)
    wait_until(lambda: not old.accepts_writes(TAG), "it has missed the majority")
    assert old.role == "master"
    shape.network.heal()
    shape.await_demotion(TAG, old)


def test_a_primary_that_was_frozen_is_demoted_when_it_is_thawed(shape: ClusterShape) -> None:
    old = shape.agreed_owner(TAG)
    old.freeze()
    new = shape.successor(TAG, old)
    old.thaw()
    shape.await_demotion(TAG, old)
    assert shape.agreed_owner(TAG) is new


def test_an_old_primary_that_returns_is_demoted(shape: ClusterShape) -> None:
    old = shape.agreed_owner(TAG)
    new = shape.kill_owner(TAG)
    old.start()
    shape.await_demotion(TAG, old)
    assert (old.role, new.role) == ("slave", "master")


def test_a_replica_that_lags_lacks_what_was_written_when_promoted(shape: ClusterShape) -> None:
    old, (replica,) = shape.agreed_owner(TAG), shape.replicas(TAG)
    old.client.set("{s0}seen", "1")
    shape.leave_behind(TAG)
    old.client.set("{s0}lost", "1")
    shape.promote(replica)
    assert shape.successor(TAG, old) is replica
    assert [replica.client.get(f"{{s0}}{name}") for name in ("seen", "lost")] == ["1", None]


def test_a_primary_takes_writes_without_its_replica(shape: ClusterShape) -> None:
    owner, (replica,) = shape.agreed_owner(TAG), shape.replicas(TAG)
    replica.kill()
    wait_until(lambda: owner.replication()["connected_slaves"] == 0, "the replica is gone")
    assert owner.accepts_writes(TAG)


def test_a_shape_that_was_hurt_is_whole_again(shape: ClusterShape) -> None:
    shape.servers[0].freeze()
    shape.servers[1].kill()
    shape.network.split(shape.servers[5])
    shape.restore()
    assert shape.is_whole()
