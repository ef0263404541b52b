"""A Redis that cuts connections, pauses, restarts, is full, or forgets everything."""

import asyncio
import time

import pytest
from redis.exceptions import RedisError

from tests.support.conditions import until
from tests.support.faults.breakable_system import LEASE_TTL
from tests.support.faults.clients import unique
from tests.support.faults.scenario import FaultScenario

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

# Seconds within which whatever pub/sub lost is made good.
REPAIRED = 2.0


def refused_everywhere(scenario: FaultScenario) -> bool:
    try:
        scenario.cluster.client.ping()
    except RedisError:
        return True
    return False


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
async def test_killed_connections_are_made_good_without_gap_or_second_turn(scenario: FaultScenario, kind: str) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=90 !rate=30")) for _ in range(4)]
    for round_ in range(4):
        await scenario.streaming(*exchanges, deltas=3 + 15 * round_)
        scenario.cluster.kill_connections(kind)
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


async def test_the_last_event_lost_with_its_connection_arrives_within_two_seconds(scenario: FaultScenario) -> None:
    """Connections are killed all the time, so that the terminal event's message is lost too."""
    exchanges = [scenario.clients.start("naive", unique("!deltas=40 !rate=30")) for _ in range(4)]
    await scenario.streaming(*exchanges)
    while not all(turn["ended"] for exchange in exchanges for turn in scenario.cluster.turns(exchange.question)):
        scenario.cluster.kill_connections("pubsub")
        await asyncio.sleep(0)
    upstream_done = time.monotonic()
    await scenario.clients.ended()
    assert all(exchange.answered for exchange in exchanges)
    assert all(exchange.ended is not None and exchange.ended - upstream_done < REPAIRED + 0.5 for exchange in exchanges)
    await scenario.verify()


async def test_a_frozen_gateway_that_redis_cuts_off_for_falling_behind_misses_nothing(scenario: FaultScenario) -> None:
    url, gateway, before = scenario.cluster.urls[0], scenario.cluster.gateways[0], scenario.cluster.cut_off
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=150 !rate=30"), gateway=url) for _ in range(4)]
    await scenario.streaming(*exchanges)
    gateway.freeze()
    scenario.cluster.flood()
    await until(lambda: scenario.cluster.cut_off > before, "Redis hangs up on the frozen gateway")
    gateway.thaw()
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


@pytest.mark.parametrize("writes", [False, True], ids=["everything", "writes"])
@pytest.mark.parametrize("seconds", [LEASE_TTL / 3, LEASE_TTL + 2], ids=["shorter", "longer"])
async def test_a_paused_redis_makes_nobody_look_dead(scenario: FaultScenario, seconds: float, writes: bool) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=60 !rate=30")) for _ in range(4)]
    await scenario.streaming(*exchanges)
    scenario.cluster.client.client_pause(int(seconds * 1000), all=not writes)
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


@pytest.mark.parametrize("seconds", [LEASE_TTL / 3, LEASE_TTL + 2], ids=["shorter", "longer"])
async def test_a_frozen_redis_makes_nobody_look_dead(scenario: FaultScenario, seconds: float) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=60 !rate=30")) for _ in range(4)]
    await scenario.streaming(*exchanges)
    scenario.cluster.redis.freeze()
    await asyncio.sleep(seconds)
    scenario.cluster.redis.thaw()
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


async def test_a_redis_busy_for_longer_than_the_lease_makes_nobody_look_dead(scenario: FaultScenario) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=60 !rate=30")) for _ in range(4)]
    await scenario.streaming(*exchanges)
    await asyncio.to_thread(scenario.cluster.sleep, LEASE_TTL + 1)
    await scenario.clients.ended()
    assert all(exchange.answered for exchange in exchanges)
    await scenario.verify()


async def test_a_worker_that_dies_while_redis_is_frozen_is_found_afterwards(scenario: FaultScenario) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=200 !rate=30")) for _ in range(2)]
    await scenario.streaming(*exchanges)
    dying = await scenario.holder(exchanges[0])
    scenario.cluster.redis.freeze()
    dying.kill()
    await asyncio.sleep(LEASE_TTL)
    scenario.cluster.redis.thaw()
    await scenario.clients.ended(exchanges[0])
    assert exchanges[0].code == 500
    await scenario.verify()


async def test_while_redis_is_frozen_questions_are_refused_within_two_seconds(scenario: FaultScenario) -> None:
    scenario.cluster.redis.freeze()
    exchanges = [scenario.clients.start("whole", unique("hello"), gateway=url) for url in scenario.cluster.urls]
    await scenario.clients.ended()
    scenario.cluster.redis.thaw()
    for exchange in exchanges:
        assert (exchange.code, "retry-after" in exchange.headers) == (503, True)
        assert exchange.ended is not None
        assert exchange.ended - exchange.began < 2.5
    again = await scenario.clients.ask("whole", unique("hello"))
    assert again.answered
    await scenario.verify()


@pytest.mark.parametrize("how", ["killed", "told to go"])
async def test_a_redis_that_restarts_with_its_log_loses_nothing(scenario: FaultScenario, how: str) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=90 !rate=30")) for _ in range(4)]
    await scenario.streaming(*exchanges)
    if how == "killed":
        scenario.cluster.redis.kill()
    else:
        scenario.cluster.redis.end()
    scenario.cluster.redis.start()
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


async def test_a_redis_away_for_longer_than_the_lease_loses_nothing(scenario: FaultScenario) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=90 !rate=30")) for _ in range(4)]
    await scenario.streaming(*exchanges)
    scenario.cluster.redis.kill()
    refused = await scenario.clients.ask("whole", unique("hello"))
    assert refused.code == 503
    assert not scenario.cluster.turns(refused.question)
    await asyncio.sleep(LEASE_TTL + 1)
    scenario.cluster.redis.start()
    await scenario.clients.ended()
    assert all(exchange.answered and exchange.connections == 1 for exchange in exchanges)
    await scenario.verify()


async def test_a_full_redis_refuses_new_questions_and_lets_running_answers_end(scenario: FaultScenario) -> None:
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=60 !rate=30")) for _ in range(3)]
    await scenario.streaming(*exchanges)
    scenario.cluster.client.config_set("maxmemory", 1)
    refused = await scenario.clients.ask("whole", unique("hello"))
    await scenario.clients.ended()
    scenario.cluster.client.config_set("maxmemory", 0)
    assert (refused.code, "retry-after" in refused.headers) == (503, True)
    assert not scenario.cluster.turns(refused.question)
    assert all(exchange.answered for exchange in exchanges)
    again = await scenario.clients.ask("whole", unique("go on"), exchanges[0].given_token)
    assert again.answered
    await scenario.verify()


async def test_a_redis_that_comes_late_is_waited_for_by_everybody(scenario: FaultScenario) -> None:
    scenario.cluster.redis.kill()
    for node in [*scenario.cluster.gateways, *scenario.cluster.workers]:
        node.kill()
        node.start()
    await until(lambda: refused_everywhere(scenario), "Redis is away")
    await asyncio.to_thread(scenario.cluster.start)
    exchange = await scenario.clients.ask("eventsource", unique("hello"))
    assert exchange.answered
    await scenario.verify()
