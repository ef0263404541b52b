"""Writes that a fail-over undoes: a replica is promoted that lacks them, or two servers are primaries at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.fail_over_scenario import FailOverScenario
from tests.support.faults.history import Exchange
from tests.support.faults.node import Node

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

# Seconds, at most, for which a primary without its replicas still takes writes.
ALONE = 1.5


async def warm_up(fail_over: FailOverScenario) -> None:
    """Let each worker ask something, so that it has all its connections."""
    for _ in fail_over.system.workers:
        # The next one is for who has most places free.
        await fail_over.start_answers("!deltas=10 !rate=5", ("whole",))
    await fail_over.clients.ended()


@asynccontextmanager
async def claimed(fail_over: FailOverScenario) -> AsyncIterator[tuple[Exchange, Node]]:
    """Ask at the first gateway; the question's worker opens a conversation at the upstream, which waits for the body.

    Yields the question and its worker, which sends it right after the body.
    """
    system = fail_over.system
    before = len(system.ledger()["creates"])
    system.script(account="*", create={"outcome": "slow=1", "times": 1})
    question, key = unique("!deltas=60 !rate=20"), unique("key-of-enough-length")
    exchange = fail_over.clients.start("eventsource", question, gateway=system.urls[0], key=key)
    await until(lambda: len(system.ledger()["creates"]) > before, "a conversation is being opened")
    system.emulator.freeze()
    try:
        yield exchange, await fail_over.holder(exchange)
    finally:
        system.emulator.thaw()


async def test_a_question_whose_mark_is_lost_with_its_worker_is_asked_once(fail_over: FailOverScenario) -> None:
    """Fault 7: the replica that is promoted doesn't know that a question was sent, and who sent it is dead."""
    async with claimed(fail_over) as (exchange, holder):
        await asyncio.to_thread(fail_over.system.shard().leave_behind)
    # It must not be sent on the word of one server.
    with suppress(AssertionError):
        await until(lambda: fail_over.system.turns(exchange.question), limit=ALONE)
    holder.kill()
    await fail_over.fail()
    await fail_over.clients.ended()
    assert exchange.code in (200, 500, 503)
    assert len(fail_over.system.turns(exchange.question)) <= 1
    holder.start()
    await fail_over.verify()


async def test_a_stop_that_a_fail_over_would_undo_is_not_confirmed(fail_over: FailOverScenario) -> None:
    """No replica has it: its client is to ask again."""
    (exchange,) = await fail_over.start_answers("!deltas=150 !rate=20", ("eventsource",))
    await asyncio.to_thread(fail_over.system.shard().leave_behind)
    assert await fail_over.clients.stop(exchange, fail_over.system.urls[0]) == 503
    await fail_over.fail()
    await fail_over.clients.ended()
    assert exchange.code in (200, 500)
    assert fail_over.asked_once(exchange)
    await fail_over.verify()


async def test_a_split_asks_nobody_twice(fail_over: FailOverScenario) -> None:
    """Fault 5: the primary is split off with a gateway, and with a worker that is about to send a question."""
    gateway, old = fail_over.system.gateways[0], await fail_over.primary()
    await warm_up(fail_over)
    async with claimed(fail_over) as (exchange, holder):
        fail_over.system.shape.network.split(old, holder, gateway)
    await fail_over.await_successor(old)
    elsewhere = await fail_over.answered()
    assert elsewhere.gateway != fail_over.system.urls[0]
    await until(lambda: fail_over.system.holder(exchange.question) not in (None, holder), "another worker has it")
    fail_over.system.shape.network.heal()
    await fail_over.clients.ended()
    assert exchange.code in (200, 500)
    assert fail_over.asked_once(exchange)
    await fail_over.await_demotion(old)
    await fail_over.verify()
