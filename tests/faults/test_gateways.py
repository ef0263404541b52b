"""Gateways that die, freeze or drain."""

import asyncio

import httpx
import pytest

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.history import Exchange
from tests.support.faults.node import Node
from tests.support.faults.scenario import FaultScenario

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

LONG = "!deltas=400 !rate=40"


def gateway_of(scenario: FaultScenario, exchange: Exchange) -> Node:
    return scenario.cluster.gateways[scenario.cluster.urls.index(exchange.gateway)]


async def test_a_gateway_killed_mid_stream_is_resumed_at_another_without_a_second_turn(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=60 !rate=30"))
    await scenario.streaming(exchange)
    first = exchange.gateway
    gateway_of(scenario, exchange).kill()
    await scenario.clients.ended(exchange)
    assert exchange.answered
    assert (exchange.connections, exchange.gateway != first) == (2, True)
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_a_gateway_killed_before_any_text_is_resumed_at_another(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!first=2 hello"))
    await until(
        lambda: exchange.connections and "last" in exchange.headers and scenario.cluster.turns(exchange.question),
        "an id",
    )
    gateway_of(scenario, exchange).kill()
    await scenario.clients.ended(exchange)
    assert exchange.answered
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_all_gateways_killed_and_started_again_lose_no_answer(scenario: FaultScenario) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=150 !rate=30")) for _ in range(6)]
    await scenario.streaming(*exchanges)
    for gateway in scenario.cluster.gateways:
        gateway.kill()
    for gateway in scenario.cluster.gateways:
        gateway.start()
    await scenario.clients.ended()
    assert all(exchange.answered for exchange in exchanges)
    await scenario.verify()


async def test_a_killed_gateways_turn_continues_for_a_client_that_cannot_come_back(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("naive", unique("!deltas=60 !rate=30"))
    await scenario.streaming(exchange)
    gateway_of(scenario, exchange).kill()
    await scenario.clients.ended(exchange)
    assert exchange.cut
    await until(
        lambda: scenario.cluster.turns(exchange.question)[0]["outcome"] == "Success", "the turn ends as it should"
    )
    again = await scenario.clients.ask("naive", unique("go on"), exchange.given_token)
    assert again.answered
    assert scenario.cluster.turns(again.question)[0]["invocation"] == "4"
    await scenario.verify()


async def test_a_drained_gateway_lets_running_answers_end_and_takes_no_new_ones(scenario: FaultScenario) -> None:
    url, gateway = scenario.cluster.urls[0], scenario.cluster.gateways[0]
    words = "!deltas=60 !rate=30"
    running = [scenario.clients.start(kind, unique(words), gateway=url) for kind in ("naive", "eventsource")]
    async with scenario.clients.socket(url) as socket:
        running.append(await socket.send(unique(words)))
        await scenario.streaming(*running)
        gateway.terminate()
        await until(lambda: httpx.get(f"{url}/readyz", verify=False).status_code == 503, "readiness turns red")
        late = await scenario.clients.ask("whole", unique("hello"), gateway=url)
        assert (late.code, late.headers.get("retry-after")) == (503, "1")
        assert not scenario.cluster.turns(late.question)
        await scenario.clients.ended()
        assert await asyncio.to_thread(gateway.wait) == 0
        await until(lambda: socket.closed, "the socket closes")
        assert socket.closed == 1012
    assert all(exchange.answered for exchange in running)
    assert {exchange.connections for exchange in running[:2]} == {1}
    await scenario.verify()


async def test_an_answer_longer_than_the_drain_continues_at_another_gateway(scenario: FaultScenario) -> None:
    url, gateway = scenario.cluster.urls[1], scenario.cluster.gateways[1]
    resuming = scenario.clients.start("eventsource", unique("!deltas=200 !rate=30"), gateway=url)
    naive = scenario.clients.start("naive", unique("!deltas=200 !rate=30"), gateway=url)
    await scenario.streaming(resuming, naive)
    gateway.terminate()
    await scenario.clients.ended()
    assert gateway.wait() == 0
    assert (resuming.code, resuming.connections) == (200, 2)
    assert naive.code == 503
    await until(lambda: scenario.cluster.turns(naive.question)[0]["outcome"] == "Success", "the turn ends as it should")
    await scenario.verify()


async def test_a_frozen_gateway_catches_up_without_gap_or_repeat(scenario: FaultScenario) -> None:
    exchanges = [
        scenario.clients.start("eventsource", unique("!deltas=60 !rate=30"), gateway=scenario.cluster.urls[2])
        for _ in range(5)
    ]
    await scenario.streaming(*exchanges)
    scenario.cluster.gateways[2].freeze()
    await until(
        lambda: all(scenario.cluster.turns(exchange.question)[0]["ended"] for exchange in exchanges), "upstream is done"
    )
    scenario.cluster.gateways[2].thaw()
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


async def test_cut_at_every_event_and_resumed_elsewhere_the_bytes_equal_an_uncut_run(scenario: FaultScenario) -> None:
    async with httpx.AsyncClient(verify=False, timeout=10) as http:
        fields = {"style": "balanced", "question": unique("!deltas=30 !rate=60")}
        listening = {"accept": "text/event-stream"}
        uncut = (await http.get(f"{scenario.cluster.urls[0]}/api_stream", params=fields, headers=listening)).content
        events = uncut.split(b"\n\n")[:-1]
        ids = [
            next(line[4:].decode() for line in event.split(b"\n") if line.startswith(b"id: "))
            for event in events
            if b"id: " in event
        ]
        assert len(ids) > 10
        for number, last in enumerate(ids):
            url = scenario.cluster.urls[number % 3]
            resumed = await http.get(f"{url}/api_stream", params=fields, headers=listening | {"last-event-id": last})
            after = uncut.partition(last.encode())[2].partition(b"\n\n")[2]
            if number == len(ids) - 1:
                assert resumed.status_code == 204
            else:
                rest = resumed.content
                assert rest == after
    assert len(scenario.cluster.turns(fields["question"])) == 1
    await scenario.verify()


@pytest.mark.parametrize("redis", [False, True], ids=["without redis", "redis too"])
async def test_a_rolling_restart_of_everything_under_load_loses_nothing(scenario: FaultScenario, redis: bool) -> None:
    nodes = [*scenario.cluster.gateways, *scenario.cluster.workers, *([scenario.cluster.redis] if redis else [])]
    stop = asyncio.Event()
    tokens: list[str | None] = [None] * 6

    async def user(number: int) -> None:
        while not stop.is_set():
            latest = await scenario.clients.ask("eventsource", unique("!deltas=20 !rate=30"), tokens[number])
            tokens[number] = latest.given_token
            if latest.refused:
                await asyncio.sleep(0.2)

    users = [asyncio.create_task(user(number)) for number in range(len(tokens))]
    for node in nodes:
        node.terminate()
        assert await asyncio.to_thread(node.wait) == 0
        await asyncio.to_thread(scenario.cluster.start)
    stop.set()
    await asyncio.gather(*users)
    refused = [exchange for exchange in scenario.clients.exchanges if exchange.refused is not None]
    assert all((exchange.code, "retry-after" in exchange.headers) == (503, True) for exchange in refused)
    assert not any(scenario.cluster.turns(exchange.question) for exchange in refused)
    accepted = [exchange for exchange in scenario.clients.exchanges if exchange.refused is None]
    assert len(accepted) > 20
    assert all(exchange.answered for exchange in accepted)
    await scenario.verify()
