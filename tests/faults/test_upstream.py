"""An upstream that refuses, breaks off, falls silent, or talks nonsense."""

import pytest

from tests.support.faults import flows
from tests.support.faults.clients import unique
from tests.support.faults.scenario import FaultScenario

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

BROKEN_OFF = ["close-mid", "close-before", "close-late", "reset-mid", "reset-before", "type7", "type7-close"]
NONSENSE = ["bad-json", "not-object", "binary", "big", "wrong-types", "no-item", "no-result", "empty-messages"]


@pytest.mark.parametrize("word", BROKEN_OFF + NONSENSE + ["internal", "internal-after-text", "throttled-after-text"])
async def test_whatever_the_upstream_does_an_answer_ends_once_and_is_asked_once(
    scenario: FaultScenario, word: str
) -> None:
    assert len({exchange.code for exchange in await flows.ask_for_breakage(scenario, word)}) == 1


async def test_every_silence_of_the_upstream_ends_within_its_limit(scenario: FaultScenario) -> None:
    await flows.ask_for_silence(scenario, "silence", "silence-mid", "silence-late", "type3")


@pytest.mark.parametrize("outcome", ["throttled", "captcha", "unauthorized", "forbidden"])
async def test_a_refused_account_costs_one_more_attempt_at_another(scenario: FaultScenario, outcome: str) -> None:
    await flows.refuse_one_account(scenario, outcome)


async def test_a_conversation_the_upstream_forgot_begins_afresh_and_says_so(scenario: FaultScenario) -> None:
    await flows.lose_conversation(scenario, "invalid-session")


@pytest.mark.parametrize("create", ["http-500", "http-429", "bad-json", "reset", "html", "no-ids"])
async def test_a_create_that_fails_spends_nothing_and_the_token_lives_on(scenario: FaultScenario, create: str) -> None:
    scenario.cluster.script(account="*", create={"outcome": create, "times": None})
    exchange = await scenario.clients.ask("naive", unique("hello"))
    assert exchange.code in (500, 120, 503)
    assert not scenario.cluster.turns(exchange.question)
    scenario.cluster.script(account="*", create={"outcome": None})
    again = await scenario.clients.ask("whole", unique("hello"))
    assert again.answered
    await scenario.verify()


@pytest.mark.parametrize("upgrade", ["http-403", "http-502", "reset", "handshake-error", "handshake-close"])
async def test_a_socket_that_does_not_open_spends_nothing(scenario: FaultScenario, upgrade: str) -> None:
    scenario.cluster.script(account="*", upgrade={"outcome": upgrade, "times": None})
    exchange = await scenario.clients.ask("naive", unique("hello"))
    assert exchange.code in (500, 120)
    assert not scenario.cluster.turns(exchange.question)
    await scenario.verify()


async def test_an_upstream_killed_mid_answer_is_reported_and_comes_back(scenario: FaultScenario) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=400 !rate=30")) for _ in range(3)]
    await scenario.streaming(*exchanges)
    scenario.cluster.emulator.kill()
    await scenario.clients.ended()
    assert [exchange.code for exchange in exchanges] == [500, 500, 500]
    scenario.clients.exchanges.clear()
    scenario.cluster.start()
    again = await scenario.clients.ask("whole", unique("hello"))
    assert again.answered
    await scenario.verify()
