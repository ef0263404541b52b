"""Questions that are asked again under the same key, and answers that are stopped, while things break."""

import time

import pytest

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.scenario import FaultScenario

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

STEADY = "!deltas=60 !rate=30"


async def test_fifty_duplicates_at_all_gateways_are_one_turn_and_fifty_equal_answers(scenario: FaultScenario) -> None:
    question, key = unique(STEADY), unique("key-of-enough-length")
    exchanges = [scenario.clients.start("eventsource", question, key=key) for _ in range(50)]
    await scenario.clients.ended()
    assert all(exchange.answered for exchange in exchanges)
    assert len({str([exchange.end.body, "".join(exchange.deltas)]) for exchange in exchanges if exchange.end}) == 1
    assert len(scenario.cluster.turns(question)) == 1
    await scenario.verify()


async def test_a_question_asked_again_after_its_gateway_died_is_one_turn(scenario: FaultScenario) -> None:
    question, key = unique(STEADY), unique("key-of-enough-length")
    first = scenario.clients.start("naive", question, key=key, gateway=scenario.cluster.urls[0])
    await scenario.streaming(first)
    scenario.cluster.gateways[0].kill()
    await scenario.clients.ended()
    assert first.cut
    again = await scenario.clients.ask("naive", question, gateway=scenario.cluster.urls[1], key=key)
    assert again.answered
    assert "".join(again.deltas).startswith("".join(first.deltas))
    assert len(scenario.cluster.turns(question)) == 1
    await scenario.verify()


async def test_a_question_asked_again_after_its_worker_died_keeps_its_one_end(scenario: FaultScenario) -> None:
    question, key = unique("!deltas=400 !rate=30"), unique("key-of-enough-length")
    first = scenario.clients.start("eventsource", question, key=key)
    await scenario.streaming(first)
    (await scenario.holder(first)).kill()
    await scenario.clients.ended()
    again = await scenario.clients.ask("eventsource", question, key=key)
    assert (first.code, again.code) == (500, 500)
    assert "".join(again.deltas) == "".join(first.deltas)
    assert len(scenario.cluster.turns(question)) == 1
    await scenario.verify()


async def test_a_stop_at_another_gateway_hangs_up_upstream_within_a_second(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=400 !rate=30"), gateway=scenario.cluster.urls[0])
    await scenario.streaming(exchange)
    assert await scenario.clients.stop(exchange, scenario.cluster.urls[1]) == 200
    stopped = time.monotonic()
    await until(lambda: scenario.cluster.turns(exchange.question)[0]["ended"], "the worker hangs up")
    assert time.monotonic() - stopped < 1.5
    await scenario.clients.ended()
    assert exchange.answered
    assert exchange.end is not None
    assert exchange.end.data["reset"] is True
    again = await scenario.clients.ask("whole", unique("go on"), exchange.given_token)
    assert again.answered
    await scenario.verify()


async def test_an_answer_stopped_while_its_worker_is_frozen_ends_once(
    scenario: FaultScenario,
) -> None:
    """The token can be used afterwards."""
    exchange = scenario.clients.start("eventsource", unique("!deltas=400 !rate=30"))
    await scenario.streaming(exchange)
    holder = await scenario.holder(exchange)
    holder.freeze()
    assert await scenario.clients.stop(exchange, scenario.cluster.urls[2]) == 200
    await scenario.clients.ended()
    assert exchange.answered
    again = scenario.clients.start("whole", unique("go on"), exchange.given_token)
    await scenario.clients.ended()
    holder.thaw()
    assert again.answered
    await scenario.verify()


async def test_an_answer_stopped_and_its_worker_killed_ends_once_and_the_token_lives_on(
    scenario: FaultScenario,
) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=400 !rate=30"))
    await scenario.streaming(exchange)
    holder = await scenario.holder(exchange)
    assert await scenario.clients.stop(exchange, scenario.cluster.urls[2]) == 200
    holder.kill()
    again = await scenario.clients.ask("eventsource", unique("go on"), exchange.given_token)
    assert again.answered
    await scenario.verify()
