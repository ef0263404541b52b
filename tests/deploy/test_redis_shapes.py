"""What the configurations of several Redis servers have to hold for what is promised of a fail-over."""

from pathlib import Path

import pytest

from tests.support.faults.sentinel_shape import DOWN_AFTER, MAX_LAG
from wire.settings import LEASE_TTL

DEPLOY = Path(__file__).parents[2] / "deploy"


def directives(file: str) -> dict[str, str]:
    """The directives of a file; those of `sentinel` without the name of the servers."""
    lines = [line for line in (DEPLOY / file).read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.replace("sentinel ", "").replace(" bing ", " ").split(" ", 1) for line in lines)


def test_under_sentinel_a_primary_without_a_replica_takes_no_writes() -> None:
    server = directives("sentinel/redis.conf")
    assert server["min-replicas-to-write"] == "1"
    assert 1 < int(server["min-replicas-max-lag"]) < LEASE_TTL / 3


def test_a_server_of_a_cluster_takes_writes_without_its_replica() -> None:
    assert directives("cluster/redis.conf")["min-replicas-to-write"] == "0"


@pytest.mark.parametrize(("max_lag", "down_after"), [(None, None), (MAX_LAG, DOWN_AFTER)], ids=["deploy", "tests"])
def test_an_old_primary_refuses_before_a_new_one_is_chosen(max_lag: int | None, down_after: int | None) -> None:
    """Whole seconds are counted, and looked at once a second: each may be one late."""
    lag = max_lag or int(directives("sentinel/redis.conf")["min-replicas-max-lag"])
    silence = down_after or int(directives("sentinel/sentinel.conf")["down-after-milliseconds"]) / 1000
    assert lag + 2 <= silence


def test_two_of_the_three_sentinels_agree_before_a_fail_over() -> None:
    assert directives("sentinel/sentinel.conf")["monitor"].split()[-1] == "2"


@pytest.mark.parametrize("shape", ["sentinel", "cluster"])
def test_a_servers_configuration_repeats_nothing_of_the_one_it_is_read_after(shape: str) -> None:
    def subjects(file: str) -> set[str]:
        pairs = directives(file).items()
        return {f"{name} {value.split()[0]}" if name == "client-output-buffer-limit" else name for name, value in pairs}

    assert not subjects("redis.conf") & subjects(f"{shape}/redis.conf")


@pytest.mark.parametrize("shape", ["sentinel", "cluster"])
def test_a_replica_that_returns_is_served_at_once_and_gets_what_it_missed(shape: str) -> None:
    server = directives(f"{shape}/redis.conf")
    assert server["repl-diskless-sync-delay"] == "0"
    assert server["repl-backlog-size"] == "64mb"


def test_one_redis_needs_no_replica_and_is_in_no_cluster() -> None:
    assert not {"min-replicas-to-write", "cluster-enabled", "replicaof"} & directives("redis.conf").keys()


def test_times_of_a_fail_over_are_those_of_the_guide() -> None:
    sentinel, cluster = directives("sentinel/sentinel.conf"), directives("cluster/redis.conf")
    guide = (DEPLOY.parent / "docs" / "guides" / "fail-over.md").read_text()
    down_after, node_timeout = sentinel["down-after-milliseconds"], cluster["cluster-node-timeout"]
    assert (down_after, sentinel["failover-timeout"], node_timeout) == ("5000", "10000", "5000")
    assert guide.count(f"{int(down_after) // 1000} s") >= 1
    for directive in ("min-replicas-to-write 1", "min-replicas-max-lag 3", "min-replicas-to-write 0"):
        assert f"`{directive}`" in guide


def test_a_cluster_serves_the_slots_that_it_has() -> None:
    cluster = directives("cluster/redis.conf")
    assert (cluster["cluster-enabled"], cluster["cluster-require-full-coverage"]) == ("yes", "no")


def test_the_sentinels_know_servers_by_names_which_stay_when_addresses_change() -> None:
    sentinel = directives("sentinel/sentinel.conf")
    assert sentinel["monitor"].split()[:2] == ["redis", "6379"]
    assert (sentinel["resolve-hostnames"], sentinel["announce-hostnames"]) == ("yes", "yes")
