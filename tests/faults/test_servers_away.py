"""Servers that nobody can replace, since those who would agree on another one are away."""

import asyncio

import pytest

from tests.support.conditions import until
from tests.support.faults.cluster_shape import ClusterShape
from tests.support.faults.fail_over_scenario import FailOverScenario
from tests.support.faults.sentinel_shape import SentinelShape
from wire import keys

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

LONG = "!deltas=150 !rate=20"


@pytest.mark.parametrize("replicated_system", ["sentinel"], indirect=True)
async def test_sentinels_are_only_missed_when_the_primary_is_too(fail_over: FailOverScenario) -> None:
    """Fault 11: all sentinels are gone, which nobody notices; then the primary too; then two sentinels are back."""
    shape = fail_over.system.shape
    assert isinstance(shape, SentinelShape)
    exchanges = await fail_over.start_answers(LONG)
    old = await asyncio.to_thread(shape.agreed_primary)
    for sentinel in shape.sentinels:
        sentinel.kill()
        assert (await fail_over.answered()).status == 200
    old.kill()
    await fail_over.refused()
    for sentinel in shape.sentinels[1:]:
        sentinel.start()
    await asyncio.to_thread(shape.successor, old)
    await fail_over.answered()
    await fail_over.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    assert fail_over.asked_once(*exchanges)
    await fail_over.verify()


@pytest.mark.parametrize("replicated_system", ["sentinel"], indirect=True)
async def test_a_minority_of_sentinels_replaces_no_primary(fail_over: FailOverScenario) -> None:
    """A majority lost: one sentinel is left, and the primary dies."""
    shape, logged = fail_over.system.shape, fail_over.logged()
    assert isinstance(shape, SentinelShape)
    old = await asyncio.to_thread(shape.agreed_primary)
    for sentinel in shape.sentinels[1:]:
        sentinel.kill()
    old.kill()
    await fail_over.refused()
    shape.sentinels[1].start()
    await asyncio.to_thread(shape.successor, old)
    await fail_over.answered()
    assert len(fail_over.refusals(since=logged)) == len(fail_over.system.gateways)
    await fail_over.verify()


@pytest.mark.parametrize("replicated_system", ["cluster"], indirect=True)
async def test_a_cluster_without_its_majority_takes_nothing(fail_over: FailOverScenario) -> None:
    """A majority lost: two of three primaries die at once, those of the answers and of the accounts."""
    shape = fail_over.system.shape
    assert isinstance(shape, ClusterShape)
    exchanges = await fail_over.start_answers(LONG)
    owners = [await asyncio.to_thread(shape.agreed_owner, tag) for tag in (keys.SHARD, keys.LEDGER)]
    for owner in owners:
        owner.kill()
    await fail_over.refused()
    rest = next(server for server in shape.servers if server.role == "master")
    await until(lambda: rest.reports("cluster_state:fail"), "the third has missed the majority")
    await fail_over.refused()
    for owner in owners:
        owner.start()
    await fail_over.answered()
    await fail_over.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    assert fail_over.asked_once(*exchanges)
    await fail_over.verify()


@pytest.mark.parametrize("replicated_system", ["cluster"], indirect=True)
async def test_a_slot_that_is_moved_by_hand_takes_nothing_until_it_is_back(fail_over: FailOverScenario) -> None:
    """A slot migration in the old way, key by key, which could leave a script's keys on two servers."""
    shape, logged = fail_over.system.shape, fail_over.logged()
    assert isinstance(shape, ClusterShape)
    async with fail_over.load(10):
        exchanges = await fail_over.start_answers(LONG)
        owner = await asyncio.to_thread(shape.agreed_owner, keys.SHARD)
        target = await asyncio.to_thread(shape.agreed_owner, keys.LEDGER)
        slot = owner.ask("CLUSTER", "KEYSLOT", keys.prefix())
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", owner.ask("CLUSTER", "MYID"))
        owner.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.ask("CLUSTER", "MYID"))
        await until(lambda: len(fail_over.refusals(since=logged)) == len(fail_over.system.gateways), "it is noticed")
        await fail_over.refused()
        for server in (owner, target):
            server.ask("CLUSTER", "SETSLOT", slot, "STABLE")
        await fail_over.answered()
        await fail_over.clients.ended(*exchanges)
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    assert fail_over.asked_once(*exchanges)
    await fail_over.verify()
