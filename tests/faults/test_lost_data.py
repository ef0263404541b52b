"""A Redis that forgets: everything, or its last second. Workers and gateways live on."""

import asyncio

import pytest

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.history import Kind
from tests.support.faults.scenario import FaultScenario

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

STEADY = "!deltas=90 !rate=30"
KINDS: list[Kind] = ["eventsource", "naive", "whole"]


def forget_everything(scenario: FaultScenario, how: str) -> None:
    if how == "flushed":
        scenario.cluster.client.flushall()
    else:
        scenario.cluster.restart_redis(None)


async def serves_on(scenario: FaultScenario) -> None:
    """Everything that was asked has an explicit end, nothing is asked twice, and whoever asks now is answered."""
    await scenario.clients.ended()
    assert all(exchange.code in (200, 500, 503) for exchange in scenario.clients.exchanges)
    after = [scenario.clients.start(kind, unique("hello")) for kind in KINDS]
    await scenario.clients.ended()
    assert all(exchange.answered for exchange in after)
    again = await scenario.clients.ask("whole", unique("go on"), after[0].given_token)
    assert again.answered
    await scenario.verify(whole=False)


@pytest.mark.parametrize("how", ["flushed", "restarted"])
async def test_a_redis_that_forgets_everything_ends_running_answers_explicitly(
    scenario: FaultScenario, how: str
) -> None:
    """It serves new questions afterwards."""
    exchanges = [scenario.clients.start(kind, unique(STEADY)) for kind in KINDS]
    async with scenario.clients.socket() as socket:
        exchanges.append(await socket.send(unique(STEADY)))
        await scenario.streaming(*(exchange for exchange in exchanges if exchange.streaming))
        forget_everything(scenario, how)
        await scenario.clients.ended()
    assert scenario.asked_once(*exchanges)
    await serves_on(scenario)


@pytest.mark.parametrize("how", ["flushed", "restarted"])
async def test_a_redis_that_forgets_everything_ends_what_waited_explicitly_and_serves_on(
    scenario: FaultScenario, how: str
) -> None:
    first = scenario.clients.start("naive", unique(STEADY))
    await scenario.streaming(first)
    waiting = [scenario.clients.start("eventsource", unique("hello"), first.given_token) for _ in range(3)]
    await until(lambda: all(scenario.cluster.job(exchange.question) for exchange in waiting), "all are accepted")
    forget_everything(scenario, how)
    await serves_on(scenario)


@pytest.mark.parametrize("how", ["flushed", "restarted"])
async def test_a_redis_that_forgets_all_before_a_question_is_sent_costs_at_most_one_turn(
    scenario: FaultScenario, how: str
) -> None:
    scenario.cluster.script(account="*", create={"outcome": "slow=2", "times": 3})
    exchanges = [scenario.clients.start(kind, unique("hello")) for kind in KINDS]
    await until(lambda: len(scenario.cluster.ledger()["creates"]) == len(exchanges), "conversations are being opened")
    forget_everything(scenario, how)
    await serves_on(scenario)


@pytest.mark.parametrize("how", ["flushed", "restarted"])
async def test_an_answer_that_is_streamed_while_redis_forgets_everything_stays_whole(
    scenario: FaultScenario, how: str
) -> None:
    """Its worker reports again what it holds, and continues."""
    exchange = scenario.clients.start("eventsource", unique("!deltas=150 !rate=30"))
    await scenario.streaming(exchange)
    forget_everything(scenario, how)
    await scenario.clients.ended()
    assert exchange.code in (200, 500)
    assert exchange.answered or exchange.deltas
    await serves_on(scenario)


async def test_a_worker_frozen_while_redis_forgets_everything_writes_into_no_other_answer(
    scenario: FaultScenario,
) -> None:
    frozen = scenario.clients.start("eventsource", unique("!deltas=150 !rate=30"))
    await scenario.streaming(frozen)
    holder = await scenario.holder(frozen)
    holder.freeze()
    scenario.cluster.client.flushall()
    others = [scenario.clients.start("eventsource", unique(STEADY)) for _ in range(4)]
    await scenario.clients.ended(frozen)
    holder.thaw()
    await scenario.clients.ended()
    assert all(exchange.answered for exchange in others)
    assert scenario.asked_once(frozen, *others)
    await serves_on(scenario)


async def test_each_running_answer_is_whole_after_redis_lost_its_last_second(scenario: FaultScenario) -> None:
    """Also those whose questions were sent in that second. Nobody sees a gap or a repeat, and each is asked once."""
    exchanges = [scenario.clients.start(kind, unique("!deltas=150 !rate=30")) for kind in KINDS * 3]
    async with scenario.clients.socket() as socket:
        exchanges.append(await socket.send(unique("!deltas=150 !rate=30")))
        streams = [exchange for exchange in exchanges if exchange.streaming]
        await scenario.streaming(*streams)
        scenario.cluster.script(account="*", create={"outcome": "slow=1", "times": 3})
        before = len(scenario.cluster.ledger()["creates"])
        sent = [scenario.clients.start(kind, unique("!deltas=90 !rate=30")) for kind in KINDS]
        await until(
            lambda: len(scenario.cluster.ledger()["creates"]) == before + len(sent), "conversations are being opened"
        )
        data = scenario.cluster.data()
        await until(lambda: all(scenario.cluster.turns(exchange.question) for exchange in sent), "all are sent")
        await scenario.streaming(*streams, deltas=60)
        scenario.cluster.restart_redis(data)
        await scenario.clients.ended()
    assert [exchange.code for exchange in exchanges + sent] == [200] * len(exchanges + sent)
    assert all(exchange.answered for exchange in exchanges + sent)
    assert scenario.asked_once(*exchanges, *sent)
    await serves_on(scenario)


async def test_an_answer_that_ended_in_the_second_that_redis_loses_is_there_for_a_repeat(
    scenario: FaultScenario,
) -> None:
    question, key = unique("!deltas=20 !rate=30"), unique("key-of-enough-length")
    first = scenario.clients.start("eventsource", question, key=key)
    await scenario.streaming(first)
    data = scenario.cluster.data()
    await scenario.clients.ended()
    await asyncio.to_thread(scenario.cluster.restart_redis, data)
    again = await scenario.clients.ask("eventsource", question, key=key)
    assert (first.answered, again.answered) == (True, True)
    assert "".join(again.deltas) == "".join(first.deltas)
    assert len(scenario.cluster.turns(question)) == 1
    await serves_on(scenario)


async def test_a_question_sent_in_the_second_that_redis_loses_is_not_sent_again(scenario: FaultScenario) -> None:
    """As Redis remembers it, it is claimed and not sent."""
    scenario.cluster.script(account="*", create={"outcome": "slow=1", "times": 3})
    exchanges = [scenario.clients.start(kind, unique("!deltas=60 !rate=30")) for kind in KINDS]
    await until(lambda: len(scenario.cluster.ledger()["creates"]) == len(exchanges), "conversations are being opened")
    data = scenario.cluster.data()
    await until(lambda: all(scenario.cluster.turns(exchange.question) for exchange in exchanges), "all are sent")
    scenario.cluster.restart_redis(data)
    await scenario.clients.ended()
    assert scenario.asked_once(*exchanges)
    await serves_on(scenario)


async def test_a_waiting_question_sent_in_the_second_that_redis_loses_is_not_resent(
    scenario: FaultScenario,
) -> None:
    """As Redis remembers it, it waits behind one that still runs."""
    first = scenario.clients.start("naive", unique("!deltas=30 !rate=30"))
    await scenario.streaming(first)
    second = scenario.clients.start("eventsource", unique("!deltas=60 !rate=30"), first.given_token)
    third = scenario.clients.start("eventsource", unique("hello"), first.given_token)
    await until(lambda: scenario.cluster.job(third.question), "both are accepted")
    data = scenario.cluster.data()
    await scenario.streaming(second)
    scenario.cluster.restart_redis(data)
    await scenario.clients.ended()
    assert first.answered
    assert scenario.asked_once(first, second)
    await serves_on(scenario)


async def test_a_question_whose_acceptance_redis_forgets_ends_and_is_not_sent_again(
    scenario: FaultScenario,
) -> None:
    data = scenario.cluster.data()
    exchanges = [scenario.clients.start(kind, unique("!deltas=60 !rate=30")) for kind in KINDS]
    await until(lambda: all(scenario.cluster.turns(exchange.question) for exchange in exchanges), "all are sent")
    scenario.cluster.restart_redis(data)
    await scenario.clients.ended()
    assert scenario.asked_once(*exchanges)
    await serves_on(scenario)


async def test_an_answer_that_ended_in_the_second_that_redis_loses_is_not_asked_again(scenario: FaultScenario) -> None:
    """As Redis remembers it, it still runs; and its token's conversation is a question further than remembered."""
    first = await scenario.clients.ask("whole", unique("hello"))
    second = scenario.clients.start("naive", unique("!deltas=20 !rate=60"), first.given_token)
    await scenario.streaming(second)
    data = scenario.cluster.data()
    await scenario.clients.ended()
    scenario.cluster.restart_redis(data)
    third = await scenario.clients.ask("eventsource", unique("go on"), first.given_token)
    assert second.answered
    assert scenario.asked_once(first, second)
    assert third.code in (200, 500)
    await serves_on(scenario)


async def test_a_token_whose_last_turn_redis_forgets_continues_or_reports_a_reset(
    scenario: FaultScenario,
) -> None:
    """A number of the conversation that was used must not be used again."""
    first = await scenario.clients.ask("whole", unique("hello"))
    data = scenario.cluster.data()
    second = await scenario.clients.ask("whole", unique("hello"), first.given_token)
    scenario.cluster.restart_redis(data)
    third = await scenario.clients.ask("eventsource", unique("go on"), first.given_token)
    assert (first.code, second.code) == (200, 200)
    assert scenario.asked_once(first, second)
    assert third.code in (200, 500)
    await serves_on(scenario)


async def test_a_question_repeated_under_its_key_after_the_lost_second_is_not_sent_again(
    scenario: FaultScenario,
) -> None:
    question, key = unique("!deltas=60 !rate=30"), unique("key-of-enough-length")
    scenario.cluster.script(account="*", create={"outcome": "slow=1", "times": 1})
    first = scenario.clients.start("eventsource", question, key=key)
    await until(lambda: scenario.cluster.ledger()["creates"], "a conversation is being opened")
    data = scenario.cluster.data()
    await scenario.streaming(first)
    await asyncio.to_thread(scenario.cluster.restart_redis, data)
    await scenario.clients.ended()
    again = await scenario.clients.ask("eventsource", question, key=key)
    assert again.code in (200, 500)
    assert len(scenario.cluster.turns(question)) == 1
    scenario.clients.exchanges.remove(again)  # has the end alone, if what came before it is lost
    await serves_on(scenario)


async def test_a_worker_that_dies_with_redis_and_its_last_second_leaves_an_explicit_end(
    scenario: FaultScenario,
) -> None:
    """The one exception: nobody is left who knows that it was sent, so it may be sent again."""
    scenario.cluster.script(account="*", create={"outcome": "slow=1", "times": 1})
    exchange = scenario.clients.start("eventsource", unique("!deltas=60 !rate=30"))
    await until(lambda: scenario.cluster.ledger()["creates"], "a conversation is being opened")
    holder, data = await scenario.holder(exchange), scenario.cluster.data()
    await scenario.streaming(exchange)
    holder.kill()
    scenario.cluster.restart_redis(data)
    await scenario.clients.ended()
    assert exchange.code in (200, 500)
    assert len(exchange.terminals) == 1
    assert len(scenario.cluster.turns(exchange.question)) <= 2
    scenario.clients.exchanges.clear()
    await serves_on(scenario)
