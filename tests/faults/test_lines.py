"""Lines that delay, go deaf, break, or lose a reply: to Redis and to the upstream."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.conditions import until
from tests.support.faults.breakable_system import LEASE_TTL
from tests.support.faults.clients import unique
from tests.support.faults.cluster import Cluster, running
from tests.support.faults.history import Exchange
from tests.support.faults.scenario import FaultScenario
from tests.support.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

STEADY = "!deltas=60 !rate=30"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Every process reaches Redis over a line of its own, and the workers reach the upstream over one."""
    with running(tmp_path_factory.mktemp("lines"), proxied=True) as started:
        yield started


def proxies(scenario: FaultScenario, kind: str) -> list[TcpProxy]:
    return [proxy for name, proxy in scenario.cluster.proxies.items() if name.startswith(kind)]


def upstream(scenario: FaultScenario) -> TcpProxy:
    assert scenario.cluster.upstream is not None
    return scenario.cluster.upstream


async def proxy_of(scenario: FaultScenario, exchange: Exchange) -> TcpProxy:
    """The line to Redis of the worker that has the question."""
    return scenario.cluster.proxies[(await scenario.holder(exchange)).name]


# What each script's request holds and others' don't.
REPLIES = {"take": b'"running":{', "mark sent": b"sent:", "append": b'"delta"', "finish": b"finish:"}


@pytest.mark.parametrize("call", REPLIES)
async def test_a_lost_reply_to_a_worker_costs_nothing_and_repeats_nothing(scenario: FaultScenario, call: str) -> None:
    for proxy in proxies(scenario, "worker"):
        proxy.lose_reply(REPLIES[call])
    first = await scenario.clients.ask("eventsource", unique(STEADY))
    second = await scenario.clients.ask("eventsource", unique("go on"), first.given_token)
    assert sum(proxy.lost for proxy in proxies(scenario, "worker")) >= 1
    assert first.answered
    assert second.answered
    await scenario.verify()


# Where replies to workers and to gateways are cut in two.
CUT_FOR_WORKERS = {"take": b'"waited":', "mark sent": b"\r\nsent\r\n", "finish": b"\r\nidle\r\n"}
CUT_FOR_GATEWAYS = {"acceptance": b"accepted", "event": b'"delta"', "end": b'"final"'}


@pytest.mark.parametrize("reply", CUT_FOR_WORKERS)
async def test_a_reply_cut_in_two_on_its_way_to_a_worker_costs_nothing_and_repeats_nothing(
    scenario: FaultScenario, reply: str
) -> None:
    for proxy in proxies(scenario, "worker"):
        proxy.halve_reply(CUT_FOR_WORKERS[reply])
    first = await scenario.clients.ask("eventsource", unique(STEADY))
    second = await scenario.clients.ask("eventsource", unique("go on"), first.given_token)
    assert sum(proxy.lost for proxy in proxies(scenario, "worker")) >= 1
    assert (first.code, second.code) == (200, 200)
    await scenario.verify()


@pytest.mark.parametrize("reply", CUT_FOR_GATEWAYS)
async def test_a_reply_cut_in_two_on_its_way_to_a_gateway_repeats_nothing(scenario: FaultScenario, reply: str) -> None:
    """Nor is anything lost."""
    for proxy in proxies(scenario, "gateway"):
        proxy.halve_reply(CUT_FOR_GATEWAYS[reply])
    exchange = await scenario.clients.ask("eventsource", unique(STEADY))
    assert sum(proxy.lost for proxy in proxies(scenario, "gateway")) == 1
    assert (exchange.code, exchange.connections) == (200, 1)
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_a_lost_reply_to_a_question_handed_over_asks_it_once(scenario: FaultScenario) -> None:
    question = unique("hello")
    for proxy in proxies(scenario, "gateway"):
        proxy.lose_reply(question.encode())
    exchange = await scenario.clients.ask("whole", question)
    assert sum(proxy.lost for proxy in proxies(scenario, "gateway")) == 1
    assert exchange.answered
    assert len(scenario.cluster.turns(question)) == 1
    await scenario.verify()


async def test_a_gateway_whose_line_to_redis_goes_deaf_makes_up_for_it(scenario: FaultScenario) -> None:
    exchanges = [
        scenario.clients.start("eventsource", unique("!deltas=120 !rate=30"), gateway=scenario.cluster.urls[0])
        for _ in range(3)
    ]
    await scenario.streaming(*exchanges)
    proxy = scenario.cluster.proxies["gateway0"]
    proxy.black_hole()
    refused = await scenario.clients.ask("whole", unique("hello"), gateway=scenario.cluster.urls[0])
    assert refused.code == 503
    proxy.heal()
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


async def test_a_gateway_whose_subscriptions_alone_go_half_open_makes_up_for_it(scenario: FaultScenario) -> None:
    """Commands go through all the while: only the probe notices."""
    url, proxy = scenario.cluster.urls[0], scenario.cluster.proxies["gateway0"]
    first = [scenario.clients.start("eventsource", unique("!deltas=120 !rate=30"), gateway=url) for _ in range(3)]
    await scenario.streaming(*first)
    proxy.silence(b"SUBSCRIBE")
    last = scenario.clients.start("eventsource", unique("!deltas=150 !rate=30"), gateway=url)
    await scenario.streaming(last)
    await until(lambda: scenario.cluster.subscribers(last.answer) == 1, "its subscription reaches Redis after all")
    await scenario.clients.ended()
    assert proxy.lost == 1
    assert all(exchange.answered and exchange.connections == 1 for exchange in [*first, last])
    await scenario.verify()


async def test_a_gateway_whose_line_to_redis_breaks_makes_up_for_it(scenario: FaultScenario) -> None:
    exchanges = [
        scenario.clients.start("eventsource", unique("!deltas=90 !rate=30"), gateway=scenario.cluster.urls[1])
        for _ in range(3)
    ]
    for round_ in range(3):
        await scenario.streaming(*exchanges, deltas=3 + 20 * round_)
        scenario.cluster.proxies["gateway1"].reset()
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


async def test_a_worker_whose_connection_to_redis_breaks_continues(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=90 !rate=30"))
    for round_ in range(3):
        await scenario.streaming(exchange, deltas=3 + 20 * round_)
        (await proxy_of(scenario, exchange)).reset()
    await scenario.clients.ended()
    assert exchange.answered
    await scenario.verify()


async def test_a_worker_without_replies_of_redis_within_its_lease_continues(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=90 !rate=30"))
    await scenario.streaming(exchange)
    proxy = await proxy_of(scenario, exchange)
    proxy.black_hole()
    await asyncio.sleep(LEASE_TTL / 3)
    proxy.heal()
    await scenario.clients.ended()
    assert exchange.answered
    await scenario.verify()


async def test_a_worker_cut_off_past_its_lease_writes_nothing_when_it_is_back(scenario: FaultScenario) -> None:
    first = await scenario.clients.ask("whole", unique("hello"))
    second = scenario.clients.start("eventsource", unique("!deltas=240 !rate=30"), first.given_token)
    await scenario.streaming(second)
    proxy = await proxy_of(scenario, second)
    proxy.black_hole()
    await scenario.clients.ended(second)
    assert second.code == 500
    third = scenario.clients.start("eventsource", unique("!deltas=90 !rate=30"), first.given_token)
    await scenario.streaming(third)
    proxy.heal()
    await scenario.clients.ended(third)
    assert third.answered
    await scenario.verify()


async def test_a_worker_cut_off_before_sending_sends_nothing_any_more(scenario: FaultScenario) -> None:
    scenario.cluster.script(account="*", create={"outcome": "slow=5", "times": 1})
    exchange = scenario.clients.start("eventsource", unique("hello"))
    await until(lambda: scenario.cluster.ledger()["creates"], "it opens a conversation")
    proxy = await proxy_of(scenario, exchange)
    proxy.black_hole()
    await scenario.clients.ended(exchange)
    assert exchange.answered
    proxy.heal()
    await scenario.verify()
    assert len(scenario.cluster.turns(exchange.question)) == 1


async def test_slow_lines_to_redis_only_cost_time(scenario: FaultScenario) -> None:
    for proxy in scenario.cluster.proxies.values():
        proxy.delay(0.05)
    exchanges = [scenario.clients.start("eventsource", unique(STEADY)) for _ in range(4)]
    await scenario.clients.ended()
    assert all(exchange.answered for exchange in exchanges)
    await scenario.verify()


async def test_a_gateway_that_redis_cuts_off_for_falling_behind_misses_nothing(
    scenario: FaultScenario,
) -> None:
    """Redis hangs up on the subscriber behind a slow connection."""
    url, proxy, before = scenario.cluster.urls[2], scenario.cluster.proxies["gateway2"], scenario.cluster.cut_off
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=150 !rate=30"), gateway=url) for _ in range(4)]
    await scenario.streaming(*exchanges)
    proxy.delay(0.1)
    scenario.cluster.flood()
    await until(lambda: scenario.cluster.cut_off > before, "Redis hangs up on the gateway")
    proxy.heal()
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


async def test_an_upstream_line_that_breaks_mid_answer_is_reported_and_never_asked_again(
    scenario: FaultScenario,
) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=200 !rate=30"))
    await scenario.streaming(exchange)
    upstream(scenario).reset()
    await scenario.clients.ended()
    assert exchange.code == 500
    assert exchange.deltas
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_an_upstream_line_that_goes_deaf_mid_answer_ends_with_the_idle_limit(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=400 !rate=30"))
    await scenario.streaming(exchange)
    upstream(scenario).black_hole()
    await scenario.clients.ended()
    assert exchange.code == 500
    assert len(scenario.cluster.turns(exchange.question)) == 1
    upstream(scenario).heal()
    await scenario.verify()


async def test_an_upstream_that_takes_no_connection_spends_nothing(scenario: FaultScenario) -> None:
    upstream(scenario).reset(refuse=True)
    exchange = await scenario.clients.ask("whole", unique("hello"))
    assert exchange.code == 500
    assert not scenario.cluster.turns(exchange.question)
    upstream(scenario).heal()
    again = await scenario.clients.ask("whole", unique("hello"))
    assert again.answered
    await scenario.verify()


async def test_after_a_create_whose_reply_is_cut_in_two_another_account_answers(
    scenario: FaultScenario,
) -> None:
    """The create spends nothing."""
    upstream(scenario).halve_reply(b"conversationId")
    exchange = await scenario.clients.ask("eventsource", unique("hello"))
    assert upstream(scenario).lost == 1
    assert exchange.answered
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_a_final_record_cut_in_two_ends_the_answer_once_and_is_never_asked_again(scenario: FaultScenario) -> None:
    upstream(scenario).halve_reply(b'"type":2')
    exchange = await scenario.clients.ask("eventsource", unique("!deltas=20 !rate=60"))
    assert upstream(scenario).lost == 1
    assert exchange.code == 500
    assert exchange.deltas
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


@pytest.mark.parametrize("count", [600, 3000, 8000])
async def test_an_upstream_line_cut_at_any_byte_ends_the_answer_once(scenario: FaultScenario, count: int) -> None:
    upstream(scenario).cut_after(count)
    exchange = await scenario.clients.ask("eventsource", unique("!deltas=100 !rate=200"))
    # Before the question had left another account answers it.
    assert exchange.code == (200 if count == 600 else 500)
    assert len(scenario.cluster.turns(exchange.question)) <= 1
    await scenario.verify()
