"""A primary that fails, hands over or freezes, under Sentinel and in a cluster, with clients of all kinds at work.

Each test has one fault of those that a deployment on several servers must survive.
"""

import asyncio

import pytest

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.fail_over_scenario import FailOverScenario
from tests.support.faults.redis_node import RedisNode
from tests.support.faults.sentinel_shape import SERVICE, SentinelShape
from wire import keys

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

# Longer than it takes to find a new primary.
LONG = "!deltas=150 !rate=20"


async def test_running_answers_outlive_a_primary_that_is_killed(fail_over: FailOverScenario) -> None:
    """Fault 1: the primary of the answers is killed under load."""
    async with fail_over.load(1):
        exchanges = await fail_over.start_answers(LONG)
        await fail_over.fail()
        await fail_over.answered()
        await fail_over.clients.ended(*exchanges)
    await fail_over.verify_unbroken(*exchanges)


@pytest.mark.parametrize("replicated_system", ["cluster"], indirect=True)
async def test_running_answers_outlive_the_primary_of_the_accounts(fail_over: FailOverScenario) -> None:
    """Fault 2: the primary of the accounts' ledger is killed under load; new questions wait for the next one."""
    async with fail_over.load(2):
        exchanges = await fail_over.start_answers(LONG)
        old = await fail_over.primary(keys.LEDGER)
        old.kill()
        waiting = await fail_over.clients.ask("eventsource", unique("hello"))
        await fail_over.await_successor(old, keys.LEDGER)
        await fail_over.answered()
        await fail_over.clients.ended(*exchanges)
    assert waiting.code in (200, 503)
    await fail_over.verify_unbroken(*exchanges)
    await fail_over.no_slot_in_use()


async def test_a_planned_fail_over_costs_no_answer_its_connection(fail_over: FailOverScenario) -> None:
    """Fault 3: the primary of the answers hands over under load, there and back."""
    async with fail_over.load(3):
        exchanges = await fail_over.start_answers(LONG)
        for _ in range(2):
            old = await fail_over.primary()
            await asyncio.to_thread(fail_over.system.shard().fail_over)
            await fail_over.answered()
            await fail_over.await_demotion(old)
        await fail_over.clients.ended(*exchanges)
    await fail_over.verify_unbroken(*exchanges)


@pytest.mark.parametrize("replicated_system", ["sentinel"], indirect=True)
async def test_a_sentinel_that_is_lost_right_after_it_promoted_costs_no_answer(fail_over: FailOverScenario) -> None:
    """The others don't know what it did: the replica is used by its own word, and by that of who chose the sentinel."""
    async with fail_over.load(5):
        exchanges = await fail_over.start_answers(LONG)
        shape = sentinels_of(fail_over)
        replicas, leader = await asyncio.to_thread(shape.replicas), shape.sentinels[0]
        await until(lambda: hands_over(leader), "it begins to fail over")
        await until(lambda: any(replica.role == "master" for replica in replicas), "a replica is promoted")
        leader.freeze()
        await fail_over.answered()
        leader.thaw()
        await fail_over.clients.ended(*exchanges)
    await asyncio.to_thread(shape.restore)
    await fail_over.verify_unbroken(*exchanges)


@pytest.mark.parametrize("replicated_system", ["sentinel"], indirect=True)
async def test_a_fail_over_that_is_given_up_leaves_all_with_the_primary(fail_over: FailOverScenario) -> None:
    """The replicas don't catch up, so that the primary doesn't hand over."""
    async with fail_over.load(6):
        exchanges = await fail_over.start_answers(LONG)
        shape, primary = sentinels_of(fail_over), await fail_over.primary()
        replicas = await asyncio.to_thread(shape.replicas)
        await until(lambda: hands_over(shape.sentinels[0]), "it begins to fail over")
        for replica in replicas:
            replica.freeze()
        await until(lambda: fail_over_state(primary) != "no-failover", "the primary is to hand over")
        await until(lambda: fail_over_state(primary) == "no-failover", "it is given up")
        for replica in replicas:
            replica.thaw()
        await fail_over.answered()
        assert primary.role == "master"
        await fail_over.clients.ended(*exchanges)
    await fail_over.verify_unbroken(*exchanges)


def sentinels_of(fail_over: FailOverScenario) -> SentinelShape:
    shape = fail_over.system.shape
    assert isinstance(shape, SentinelShape)
    return shape


def hands_over(sentinel: RedisNode) -> bool:
    return sentinel.ask("SENTINEL", "FAILOVER", SERVICE, "COORDINATED") is not None


def fail_over_state(primary: RedisNode) -> str:
    return str(primary.replication().get("master_failover_state"))


async def test_nothing_counts_that_a_thawed_primary_does_late(fail_over: FailOverScenario) -> None:
    """Fault 4: the primary freezes until another has taken its place, and is thawed."""
    async with fail_over.load(4):
        exchanges = await fail_over.start_answers(LONG)
        old = await fail_over.primary()
        old.freeze()
        await fail_over.await_successor(old)
        await fail_over.answered()
        old.thaw()
        await fail_over.await_demotion(old)
        await fail_over.answered()
        await fail_over.clients.ended(*exchanges)
    await fail_over.verify_unbroken(*exchanges)


async def test_a_primary_killed_before_its_reply_to_an_append_leaves_no_gap(fail_over: FailOverScenario) -> None:
    """Fault 8: killed between executing an append and replying to it."""
    exchanges = await fail_over.start_answers(LONG)
    primary = await fail_over.primary()
    primary.line.lose_reply(b'"delta"')
    await until(lambda: primary.line.lost, "a reply to an append is lost")
    primary.kill()
    await fail_over.await_successor(primary)
    await fail_over.verify_unbroken(*exchanges)
