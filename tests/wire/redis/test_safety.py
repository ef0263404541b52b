"""What is said of servers whose fail-over isn't safe."""

import pytest

from wire.redis.safety import find_risk

LIMITED = b"role:master\r\nconnected_slaves:%d\r\nmin_slaves_good_slaves:1\r\n"
UNLIMITED = b"role:master\r\nconnected_slaves:%d\r\n"


@pytest.mark.parametrize(
    ("clustered", "info", "replicas", "alone", "risk"),
    [
        (False, LIMITED, 2, False, ""),
        (False, UNLIMITED, 2, False, "min-replicas-to-write 1"),
        (False, LIMITED, 0, True, "no replica"),
        (False, LIMITED, 0, False, ""),
        (True, UNLIMITED, 1, False, ""),
        (True, LIMITED, 1, False, "nothing is accepted until that is back"),
        (True, LIMITED, 2, False, ""),
        (True, UNLIMITED, 0, False, ""),
        (True, UNLIMITED, 0, True, "no replica"),
    ],
)
def test_each_shape_has_its_own_risks(clustered: bool, info: bytes, replicas: int, alone: bool, risk: str) -> None:
    found = find_risk(info % replicas, clustered=clustered, alone=alone)
    assert risk in found
    assert bool(risk) == bool(found)


def test_a_server_that_forbids_to_wait_for_its_replicas_is_a_risk() -> None:
    assert "forbids WAIT" in find_risk(LIMITED % 2, clustered=False, alone=True, awaited=False)


def test_a_server_that_says_nothing_of_replication_is_believed() -> None:
    assert find_risk(b"", clustered=True, alone=False) == ""
