"""A primary that fails, hands over or freezes, under Sentinel and in a cluster, with clients of all kinds at work.

Each test has one fault of those that a deployment on several servers must survive.
"""

import asyncio

import pytest

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.fail_over_scenario import FailOverScenario
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
