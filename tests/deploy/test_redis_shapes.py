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


def test_the_configurations_of_servers_repeat_nothing_of_the_one_they_follow() -> None:
    single = directives("redis.conf").keys()
    assert not single & directives("sentinel/redis.conf").keys()
    assert not single & directives("cluster/redis.conf").keys()
