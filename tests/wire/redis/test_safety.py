"""What is said of servers whose fail-over isn't safe."""

from typing import Literal

import pytest

from wire.redis.safety import find_risk

LIMITED = b"role:master\r\nconnected_slaves:%d\r\nmin_slaves_good_slaves:1\r\n"
UNLIMITED = b"role:master\r\nconnected_slaves:%d\r\n"


@pytest.mark.parametrize(
    ("kind", "info", "replicas", "alone", "risk"),
    [
        ("sentinel", LIMITED, 2, False, ""),
        ("sentinel", UNLIMITED, 2, False, "min-replicas-to-write 1"),
        ("sentinel", LIMITED, 0, True, "no replica"),
        ("sentinel", LIMITED, 0, False, ""),
        ("cluster", UNLIMITED, 1, False, ""),
        ("cluster", LIMITED, 1, False, "nothing is accepted until that is back"),
        ("cluster", LIMITED, 2, False, ""),
        ("cluster", UNLIMITED, 0, False, ""),
        ("cluster", UNLIMITED, 0, True, "no replica"),
    ],
)
def test_each_shape_has_its_own_risks(
    kind: Literal["sentinel", "cluster"], info: bytes, replicas: int, alone: bool, risk: str
) -> None:
    found = find_risk(kind, info % replicas, alone=alone)
    assert risk in found
    assert bool(risk) == bool(found)


def test_a_server_that_forbids_to_wait_for_its_replicas_is_a_risk() -> None:
    assert "forbids WAIT" in find_risk("sentinel", LIMITED % 2, alone=True, awaited=False)


def test_a_server_that_says_nothing_of_replication_is_believed() -> None:
    assert find_risk("cluster", b"", alone=False) == ""
