"""The servers under Sentinel fail over, refuse and lose writes as real ones do, whenever a test asks for it."""

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.support.faults.sentinel_shape import SERVICE, SentinelShape, running_sentinels
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelShape]:
    with running_sentinels(tmp_path_factory.mktemp("sentinels")) as shape:
        yield shape


@pytest.fixture
def shape(started: SentinelShape) -> SentinelShape:
    """The shape, whole."""
    started.restore()
    return started


def test_clients_learn_only_addresses_of_lines(shape: SentinelShape) -> None:
    primary, *_ = shape.servers
    first = int(shape.url.removeprefix("redis+sentinel://127.0.0.1:").split(",")[0])
    with Redis(port=first, decode_responses=True) as sentinel:
        known = sentinel.sentinel_slaves(SERVICE), sentinel.sentinel_sentinels(SERVICE)
    ports = [{int(entry["port"]) for entry in entries} for entries in known]
    others = {server.port for server in shape.servers} - {shape.agreed_primary().port}
    assert ports == [others, {sentinel.port for sentinel in shape.sentinels[1:]}]
    assert primary.line.accepted > 0


def test_a_primary_that_is_killed_is_replaced(shape: SentinelShape) -> None:
    old = shape.agreed_primary()
    old.client.set("before", "1")
    new = shape.kill_primary()
    assert new is not old
    assert new.client.get("before") == "1"
    assert new.client.set("after", "1")


def test_a_planned_fail_over_loses_nothing(shape: SentinelShape) -> None:
    old = shape.agreed_primary()
    old.client.set("planned", "1")
    new = shape.fail_over()
    assert new is not old
    assert new.client.get("planned") == "1"
    shape.await_demotion(old)


def test_a_primary_that_is_split_off_refuses_writes(shape: SentinelShape) -> None:
    old = shape.agreed_primary()
    shape.network.split(old)
    new = shape.successor(old)
    wait_until(lambda: not old.accepts_writes(), "it has missed its replicas")
    assert (old.role, new.role) == ("master", "master")
    shape.network.heal()
    shape.await_demotion(old)


def test_a_primary_that_was_frozen_is_demoted_when_it_is_thawed(shape: SentinelShape) -> None:
    old = shape.agreed_primary()
    old.freeze()
    new = shape.successor(old)
    old.thaw()
    shape.await_demotion(old)
    assert shape.agreed_primary() is new


def test_an_old_primary_that_returns_as_a_primary_is_demoted(shape: SentinelShape) -> None:
    old = shape.agreed_primary()
    new = shape.kill_primary()
    old.start()
    wait_until(lambda: old.role == "master", "it believes what it was")
    shape.await_demotion(old)
    assert (old.role, new.role) == ("slave", "master")


def test_a_replica_that_lags_lacks_what_was_written_when_promoted(shape: SentinelShape) -> None:
    old = shape.agreed_primary()
    old.client.set("seen", "1")
    shape.leave_behind()
    old.client.set("lost", "1")
    old.kill()
    new = shape.successor(old)
    assert (new.client.get("seen"), new.client.get("lost")) == ("1", None)


def test_a_replica_promoted_by_hand_is_a_second_primary(shape: SentinelShape) -> None:
    primary, (replica, _) = shape.agreed_primary(), shape.replicas()
    shape.promote(replica)
    assert (primary.role, replica.role) == ("master", "master")
    assert shape.primary() is primary
    shape.await_demotion(replica)


def test_nothing_fails_over_while_the_sentinels_are_gone(shape: SentinelShape) -> None:
    for sentinel in shape.sentinels:
        sentinel.kill()
    assert shape.primary() is None
    old = next(server for server in shape.servers if server.role == "master")
    old.kill()
    for sentinel in shape.sentinels[1:]:
        sentinel.start()
    assert shape.successor(old) is not old


def test_a_sentinel_that_names_another_server_than_the_rest_is_corrected(shape: SentinelShape) -> None:
    """Of the same epoch as the others it believes none of them."""
    first, primary, (replica, _) = shape.sentinels[0], shape.agreed_primary(), shape.replicas()
    first.kill()
    right = first.configuration.read_text()
    wrong = right.replace(f"monitor {SERVICE} 127.0.0.1 {primary.port}", f"monitor {SERVICE} 127.0.0.1 {replica.port}")
    assert wrong != right
    first.configuration.write_text(wrong)
    shape.restore()
    assert first.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1] == str(shape.agreed_primary().port)


def test_a_shape_that_was_hurt_is_whole_again(shape: SentinelShape) -> None:
    shape.sentinels[0].freeze()
    shape.servers[1].kill()
    shape.network.split(shape.servers[2])
    shape.restore()
    assert shape.is_whole()
