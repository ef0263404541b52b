"""Events that a fail-over undoes: a replica is promoted that lacks the last ones. Their workers write them again."""

import asyncio

import pytest

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.fail_over_scenario import FailOverScenario
from tests.support.faults.redis_node import RedisNode
from wire import keys

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

LONG = "!deltas=150 !rate=20"
DELTA = len("delta 000001 ")


async def leave_behind(fail_over: FailOverScenario) -> RedisNode:
    """Let replicas get nothing any more of what the primary writes, which is returned."""
    primary = await fail_over.primary()
    await asyncio.to_thread(fail_over.system.shard().leave_behind)
    return primary


async def test_running_answers_are_whole_though_their_last_events_are_lost(fail_over: FailOverScenario) -> None:
    """Fault 6: a replica is promoted that is a second or two behind, while all workers live."""
    exchanges = await fail_over.start_answers(LONG)
    streaming = [exchange for exchange in exchanges if exchange.streaming]
    primary = await leave_behind(fail_over)
    lengths = {exchange.question: len("".join(exchange.deltas)) for exchange in streaming}

    def is_behind() -> bool:
        """Whether readers have a second's text that no replica has, or as much as a primary without replicas takes."""
        grown = [len("".join(one.deltas)) - lengths[one.question] > 20 * DELTA for one in streaming]
        return all(grown) or not primary.accepts_writes(keys.SHARD)

    await until(is_behind, "text comes that no replica gets")
    await fail_over.fail()
    await fail_over.verify_unbroken(*exchanges)


async def test_an_answer_whose_end_is_lost_is_there_for_a_repeat(fail_over: FailOverScenario) -> None:
    """Fault 6: the answer ended, and its client has it, but no replica knows."""
    question, key = unique("!deltas=20 !rate=20"), unique("key-of-enough-length")
    first = fail_over.clients.start("eventsource", question, key=key)
    await fail_over.streaming(first, deltas=8)
    primary = await leave_behind(fail_over)
    await until(lambda: first.end or not primary.accepts_writes(keys.SHARD), "the answer ends")
    await fail_over.fail()
    await fail_over.answered()
    await fail_over.clients.ended(first)
    again = await fail_over.clients.ask("eventsource", question, key=key)
    following = await fail_over.clients.ask("whole", unique("go on"), first.given_token)
    assert [exchange.code for exchange in (first, again, following)] == [200, 200, 200]
    assert again.end is not None
    assert first.end is not None
    assert again.end.data == first.end.data
    assert fail_over.asked_once(first, following)
    await fail_over.verify()
