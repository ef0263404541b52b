"""Writes that a fail-over loses: a replica is promoted that lacks the last ones, or two servers take writes at once."""

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

LONG = "!deltas=150 !rate=20"
# Seconds, at most, for which a primary without its replicas still takes writes.
ALONE = 1.5


async def fail_with_losses(fail_over: FailOverScenario) -> None:
    """Let the primary fail whose replicas are behind, and another take its place."""
    shard = fail_over.system.shard()
    old = await asyncio.to_thread(shard.agreed_primary)
    old.kill()
    await asyncio.to_thread(shard.successor, old)


async def test_running_answers_are_whole_though_their_last_events_are_lost(fail_over: FailOverScenario) -> None:
    """Fault 6: a replica is promoted that is a second or two behind, while all workers live."""
    exchanges = await fail_over.start_answers(LONG)
    await asyncio.to_thread(fail_over.system.shard().leave_behind)
    streaming = [exchange for exchange in exchanges if exchange.streaming]
    lengths = {exchange.question: len("".join(exchange.deltas)) for exchange in streaming}
    # A third of a second's text is what readers have of what will be lost.
    await until(
        lambda: all(len("".join(one.deltas)) > lengths[one.question] + 7 * len("delta 000001 ") for one in streaming),
        "text comes that no replica gets",
    )
    await fail_with_losses(fail_over)
    await fail_over.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    assert fail_over.asked_once(*exchanges)
    await fail_over.verify()


async def test_an_answer_whose_end_is_lost_is_there_for_a_repeat(fail_over: FailOverScenario) -> None:
    """Fault 6: the answer ended, and its client has it, but no replica knows."""
    question, key = unique("!deltas=20 !rate=20"), unique("key-of-enough-length")
    first = fail_over.clients.start("eventsource", question, key=key)
    await fail_over.streaming(first, deltas=8)
    await asyncio.to_thread(fail_over.system.shard().leave_behind)
    await fail_over.clients.ended(first)
    await fail_with_losses(fail_over)
    again = await fail_over.clients.ask("eventsource", question, key=key)
    following = await fail_over.clients.ask("whole", unique("go on"), first.given_token)
    assert [exchange.code for exchange in (first, again, following)] == [200, 200, 200]
    assert again.end is not None
    assert first.end is not None
    assert again.end.data == first.end.data
    assert fail_over.asked_once(first, following)
    await fail_over.verify()


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
    await fail_with_losses(fail_over)
    await fail_over.clients.ended()
    assert exchange.code in (200, 500, 503)
    assert len(fail_over.system.turns(exchange.question)) <= 1
    holder.start()
    await fail_over.verify()


async def test_a_split_asks_nobody_twice(fail_over: FailOverScenario) -> None:
    """Fault 5: the primary is split off with a gateway, and with a worker that is about to send a question."""
    shard, gateway = fail_over.system.shard(), fail_over.system.gateways[0]
    old = await asyncio.to_thread(shard.agreed_primary)
    await warm_up(fail_over)
    async with claimed(fail_over) as (exchange, holder):
        fail_over.system.shape.network.split(old, holder, gateway)
    await asyncio.to_thread(shard.successor, old)
    elsewhere = await fail_over.answered()
    assert elsewhere.gateway != fail_over.system.urls[0]
    await until(lambda: fail_over.system.holder(exchange.question) not in (None, holder), "another worker has it")
    fail_over.system.shape.network.heal()
    await fail_over.clients.ended()
    assert exchange.code in (200, 500)
    assert fail_over.asked_once(exchange)
    await asyncio.to_thread(shard.await_demotion, old)
    await fail_over.verify()
