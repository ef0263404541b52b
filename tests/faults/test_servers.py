"""Upstreams that speak the OpenAI API: what breaks, or breaks off, and who dies meanwhile."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.faults.test_gateways import gateway_of
from tests.support.conditions import until
from tests.support.faults import flows
from tests.support.faults.account_resetter import reset_accounts
from tests.support.faults.clients import unique
from tests.support.faults.cluster import Cluster, running
from tests.support.faults.scenario import FaultScenario

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

BROKEN_OFF = ["close-before", "close-mid", "close-late", "reset-before", "reset-mid"]
# The server neither says why the answer ends nor that it does.
CUT_SHORT = ["no-finish"]
NONSENSE = ["bad-json", "not-object", "wrong-types", "big", "error-mid", "error-done"]
REFUSED = [
    "throttled=60",
    "quota",
    "unauthorized",
    "forbidden",
    "model-not-found",
    "http-404",
    "html",
    "invalid-request",
]
BUSY = ["http-503", "http-503=60", "http-502-json", "internal", "error-first"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three gateways and three workers, all of whose accounts are at such servers."""
    with running(tmp_path_factory.mktemp("cluster"), servers=4) as started:
        yield started


@pytest.mark.parametrize("word", [*BROKEN_OFF, *CUT_SHORT, *NONSENSE, "http-502", "internal-after-text"])
async def test_whatever_a_server_does_an_answer_ends_once_and_is_asked_once(scenario: FaultScenario, word: str) -> None:
    assert [exchange.code for exchange in await flows.ask_for_breakage(scenario, word)] == [500, 500, 500]


@pytest.mark.parametrize(
    "word", ["pings", "crlf", "tight", "batch", "split-record", "no-choices", "pause-mid=2", "no-done", "no-reason"]
)
async def test_a_whole_answer_is_whole_however_it_comes(scenario: FaultScenario, word: str) -> None:
    exchange = await scenario.clients.ask("eventsource", unique(f"!{word} hello"))
    assert exchange.answered
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_every_silence_of_a_server_ends_within_its_limit(scenario: FaultScenario) -> None:
    await flows.ask_for_silence(scenario, "silence", "silence-first", "silence-mid", "silence-late")


@pytest.mark.parametrize("outcome", [*REFUSED, *BUSY])
async def test_a_refusal_costs_one_more_attempt_at_another(scenario: FaultScenario, outcome: str) -> None:
    await flows.refuse_one_account(scenario, outcome)


async def test_a_conversation_that_is_too_long_begins_afresh_and_says_so(scenario: FaultScenario) -> None:
    await flows.lose_conversation(scenario, "context-length")


async def test_a_conversation_continues_at_another_worker_with_its_history(scenario: FaultScenario) -> None:
    first = await scenario.clients.ask("whole", unique("hello"))
    (await scenario.holder(first)).kill()
    second = await scenario.clients.ask("whole", unique("hello again"), first.given_token)
    first_turn, second_turn = scenario.cluster.turns(first.question)[0], scenario.cluster.turns(second.question)[0]
    assert (second_turn["conversation"], second_turn["messages"]) == (first_turn["conversation"], 2)
    assert second.end is not None
    assert second.end.data["reset"] is False
    await scenario.verify()


async def test_a_worker_killed_mid_stream_ends_the_answer_once(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=400 !rate=20"))
    await scenario.streaming(exchange)
    (await scenario.holder(exchange)).kill()
    await scenario.clients.ended(exchange)
    assert exchange.code == 500
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_a_worker_killed_after_sending_is_never_asked_again(scenario: FaultScenario) -> None:
    await flows.kill_worker_after_sending(scenario)


async def test_a_gateway_killed_mid_stream_loses_nothing(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=60 !rate=20"))
    await scenario.streaming(exchange)
    gateway_of(scenario, exchange).kill()
    await scenario.clients.ended(exchange)
    assert exchange.answered
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_a_stop_hangs_up_within_a_second(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=400 !rate=20"))
    await scenario.streaming(exchange)
    assert await scenario.clients.stop(exchange, scenario.cluster.urls[0]) == 200
    (turn,) = await until(
        lambda: [turn for turn in scenario.cluster.turns(exchange.question) if turn["ended"] is not None],
        "it hangs up",
        limit=3,
    )
    assert turn["outcome"] == "client gone"
    await scenario.clients.ended(exchange)
    await scenario.verify()


async def test_a_redis_that_restarts_mid_stream_loses_nothing(scenario: FaultScenario) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=100 !rate=20")) for _ in range(3)]
    await scenario.streaming(*exchanges)
    await asyncio.to_thread(scenario.cluster.restart_redis, scenario.cluster.data())
    await scenario.clients.ended()
    assert all(len(scenario.cluster.turns(exchange.question)) == 1 for exchange in exchanges)
    await scenario.verify(whole=False)


async def test_a_server_that_is_away_spends_nothing_and_comes_back(scenario: FaultScenario) -> None:
    scenario.cluster.emulator.kill()
    exchange = await scenario.clients.ask("whole", unique("hello"))
    assert exchange.code in (500, 503)
    scenario.clients.exchanges.clear()
    scenario.cluster.start()
    await reset_accounts(scenario.cluster)
    again = await scenario.clients.ask("whole", unique("hello"))
    assert again.answered
    await scenario.verify()
