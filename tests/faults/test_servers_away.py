"""Servers that nobody can replace, since those who would agree on another one are away."""

import pytest

from tests.support.conditions import until
from tests.support.faults.cluster_shape import ClusterNode
from tests.support.faults.fail_over_scenario import FailOverScenario
from tests.support.faults.redis_node import RedisNode
from tests.support.faults.sentinel_shape import SentinelShape
from wire import keys

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

LONG = "!deltas=150 !rate=20"
under_sentinel = pytest.mark.parametrize("replicated_system", ["sentinel"], indirect=True)
in_a_cluster = pytest.mark.parametrize("replicated_system", ["cluster"], indirect=True)


@pytest.fixture
def sentinels(fail_over: FailOverScenario) -> list[RedisNode]:
    """The sentinels of the system."""
    assert isinstance(fail_over.system.shape, SentinelShape)
    return fail_over.system.shape.sentinels


@under_sentinel
async def test_sentinels_are_only_missed_when_the_primary_is_too(
    fail_over: FailOverScenario, sentinels: list[RedisNode]
) -> None:
    """Fault 11: all sentinels are gone, which nobody notices; then the primary too; then two sentinels are back."""
    exchanges = await fail_over.start_answers(LONG)
    old = await fail_over.primary()
    for sentinel in sentinels:
        sentinel.kill()
        assert (await fail_over.answered()).status == 200
    old.kill()
    await fail_over.refused()
    for sentinel in sentinels[1:]:
        sentinel.start()
    await fail_over.await_successor(old)
    await fail_over.answered()
    await fail_over.verify_unbroken(*exchanges)


@under_sentinel
async def test_a_minority_of_sentinels_replaces_no_primary(
    fail_over: FailOverScenario, sentinels: list[RedisNode]
) -> None:
    """A majority lost: one sentinel is left, and the primary dies."""
    logged, old = fail_over.logged(), await fail_over.primary()
    for sentinel in sentinels[1:]:
        sentinel.kill()
    old.kill()
    await fail_over.refused()
    sentinels[1].start()
    await fail_over.await_successor(old)
    await fail_over.answered()
    assert len(fail_over.refusals(since=logged)) == len(fail_over.system.gateways)
    await fail_over.verify()


@in_a_cluster
async def test_a_cluster_without_its_majority_takes_nothing(fail_over: FailOverScenario) -> None:
    """A majority lost: two of three primaries die at once, those of the answers and of the accounts."""
    exchanges = await fail_over.start_answers(LONG)
    owners = [await fail_over.primary(tag) for tag in (keys.SHARD, keys.LEDGER)]
    for owner in owners:
        owner.kill()
    await fail_over.refused()
    rest = next(server for server in fail_over.system.shape.servers if server.role == "master")
    assert isinstance(rest, ClusterNode)
    await until(lambda: rest.reports("cluster_state:fail"), "the third has missed the majority")
    await fail_over.refused()
    for owner in owners:
        owner.start()
    await fail_over.answered()
    await fail_over.verify_unbroken(*exchanges)


@in_a_cluster
async def test_a_slot_that_is_moved_by_hand_takes_nothing_until_it_is_back(fail_over: FailOverScenario) -> None:
    """A slot migration in the old way, key by key, which could leave a script's keys on two servers."""
    logged = fail_over.logged()
    async with fail_over.load(10):
        exchanges = await fail_over.start_answers(LONG)
        owner, target = await fail_over.primary(), await fail_over.primary(keys.LEDGER)
        slot = owner.ask("CLUSTER", "KEYSLOT", keys.prefix())
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", owner.ask("CLUSTER", "MYID"))
        owner.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.ask("CLUSTER", "MYID"))
        await until(lambda: len(fail_over.refusals(since=logged)) == len(fail_over.system.gateways), "it is noticed")
        await fail_over.refused()
        for server in (owner, target):
            server.ask("CLUSTER", "SETSLOT", slot, "STABLE")
        await fail_over.answered()
        await fail_over.clients.ended(*exchanges)
    await fail_over.verify_unbroken(*exchanges)
