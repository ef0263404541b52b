"""Since when a server has no replica."""

import pytest

from wire.redis.replicas import Replicas

pytestmark = pytest.mark.anyio


async def test_only_a_server_that_has_had_a_replica_is_expected_to_have_one() -> None:
    known = Replicas()
    known.record(0)
    assert not known.are_expected
    known.record(1)
    known.record(0)
    assert known.are_expected, "it may be cut off from it"


async def test_one_that_has_been_alone_for_longer_than_its_node_timeout_serves_alone() -> None:
    known = Replicas()
    known.record(1)
    known.node_timeout = -60.0
    assert not known.are_expected
