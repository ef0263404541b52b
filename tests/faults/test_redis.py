"""A Redis that cuts connections, pauses, restarts, is full, or forgets everything."""

import asyncio
import time

import pytest
from redis.exceptions import RedisError

from tests.faults.clients import unique, until
from tests.faults.cluster import LEASE_TTL
from tests.faults.conftest import Scene

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

# Seconds within which whatever pub/sub lost is made good.
REPAIRED = 2.0


def refused_everywhere(scene: Scene) -> bool:
    try:
        scene.cluster.client.ping()
    except RedisError:
        return True
    return False


@pytest.mark.parametrize("kind", ["pubsub", "normal"])
async def test_killed_connections_are_made_good_without_gap_or_second_turn(scene: Scene, kind: str) -> None:
    asked = [scene.clients.start("eventsource", unique("!deltas=90 !rate=30")) for _ in range(4)]
    for round_ in range(4):
        await scene.streaming(*asked, deltas=3 + 15 * round_)
        scene.cluster.kill_connections(kind)
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


async def test_the_last_event_lost_with_its_connection_arrives_within_two_seconds(scene: Scene) -> None:
    """Connections are killed all the time, so that the terminal event's message is lost too."""
    asked = [scene.clients.start("naive", unique("!deltas=40 !rate=30")) for _ in range(4)]
    await scene.streaming(*asked)
    while not all(turn["ended"] for one in asked for turn in scene.cluster.turns(one.question)):
        scene.cluster.kill_connections("pubsub")
        await asyncio.sleep(0)
    upstream_done = time.monotonic()
    await scene.clients.ended()
    assert all(one.answered for one in asked)
    assert all(one.ended is not None and one.ended - upstream_done < REPAIRED + 0.5 for one in asked)
    await scene.verify()


async def test_a_frozen_gateway_that_redis_cuts_off_for_falling_behind_misses_nothing(scene: Scene) -> None:
    url, gateway, before = scene.cluster.urls[0], scene.cluster.gateways[0], scene.cluster.cut_off
    asked = [scene.clients.start("eventsource", unique("!deltas=150 !rate=30"), gateway=url) for _ in range(4)]
    await scene.streaming(*asked)
    gateway.freeze()
    scene.cluster.flood()
    await until(lambda: scene.cluster.cut_off > before, "Redis hangs up on the frozen gateway")
    gateway.thaw()
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


@pytest.mark.parametrize("writes", [False, True], ids=["everything", "writes"])
@pytest.mark.parametrize("seconds", [LEASE_TTL / 3, LEASE_TTL + 2], ids=["shorter", "longer"])
async def test_a_paused_redis_makes_nobody_look_dead(scene: Scene, seconds: float, writes: bool) -> None:
    asked = [scene.clients.start("eventsource", unique("!deltas=60 !rate=30")) for _ in range(4)]
    await scene.streaming(*asked)
    scene.cluster.client.client_pause(int(seconds * 1000), all=not writes)
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


@pytest.mark.parametrize("seconds", [LEASE_TTL / 3, LEASE_TTL + 2], ids=["shorter", "longer"])
async def test_a_frozen_redis_makes_nobody_look_dead(scene: Scene, seconds: float) -> None:
    asked = [scene.clients.start("eventsource", unique("!deltas=60 !rate=30")) for _ in range(4)]
    await scene.streaming(*asked)
    scene.cluster.redis.freeze()
    await asyncio.sleep(seconds)
    scene.cluster.redis.thaw()
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


async def test_a_redis_busy_for_longer_than_the_lease_makes_nobody_look_dead(scene: Scene) -> None:
    asked = [scene.clients.start("eventsource", unique("!deltas=60 !rate=30")) for _ in range(4)]
    await scene.streaming(*asked)
    await asyncio.to_thread(scene.cluster.sleep, LEASE_TTL + 1)
    await scene.clients.ended()
    assert all(one.answered for one in asked)
    await scene.verify()


async def test_a_worker_that_dies_while_redis_is_frozen_is_found_afterwards(scene: Scene) -> None:
    asked = [scene.clients.start("eventsource", unique("!deltas=200 !rate=30")) for _ in range(2)]
    await scene.streaming(*asked)
    dying = await scene.holder(asked[0])
    scene.cluster.redis.freeze()
    dying.kill()
    await asyncio.sleep(LEASE_TTL)
    scene.cluster.redis.thaw()
    await scene.clients.ended(asked[0])
    assert asked[0].code == 500
    await scene.verify()


async def test_while_redis_is_frozen_questions_are_refused_within_two_seconds(scene: Scene) -> None:
    scene.cluster.redis.freeze()
    asked = [scene.clients.start("whole", unique("hello"), gateway=url) for url in scene.cluster.urls]
    await scene.clients.ended()
    scene.cluster.redis.thaw()
    for one in asked:
        assert (one.code, "retry-after" in one.headers) == (503, True)
        assert one.ended is not None
        assert one.ended - one.began < 2.5
    again = await scene.clients.ask("whole", unique("hello"))
    assert again.answered
    await scene.verify()


@pytest.mark.parametrize("how", ["killed", "told to go"])
async def test_a_redis_that_restarts_with_its_log_loses_nothing(scene: Scene, how: str) -> None:
    asked = [scene.clients.start("eventsource", unique("!deltas=90 !rate=30")) for _ in range(4)]
    await scene.streaming(*asked)
    if how == "killed":
        scene.cluster.redis.kill()
    else:
        scene.cluster.redis.end()
    scene.cluster.redis.start()
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


async def test_a_redis_away_for_longer_than_the_lease_loses_nothing(scene: Scene) -> None:
    asked = [scene.clients.start("eventsource", unique("!deltas=90 !rate=30")) for _ in range(4)]
    await scene.streaming(*asked)
    scene.cluster.redis.kill()
    refused = await scene.clients.ask("whole", unique("hello"))
    assert refused.code == 503
    assert not scene.cluster.turns(refused.question)
    await asyncio.sleep(LEASE_TTL + 1)
    scene.cluster.redis.start()
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


async def test_a_full_redis_refuses_new_questions_and_lets_running_answers_end(scene: Scene) -> None:
    asked = [scene.clients.start("eventsource", unique("!deltas=60 !rate=30")) for _ in range(3)]
    await scene.streaming(*asked)
    scene.cluster.client.config_set("maxmemory", 1)
    refused = await scene.clients.ask("whole", unique("hello"))
    await scene.clients.ended()
    scene.cluster.client.config_set("maxmemory", 0)
    assert (refused.code, "retry-after" in refused.headers) == (503, True)
    assert not scene.cluster.turns(refused.question)
    assert all(one.answered for one in asked)
    again = await scene.clients.ask("whole", unique("go on"), asked[0].given_token)
    assert again.answered
    await scene.verify()


async def test_a_redis_that_comes_late_is_waited_for_by_everybody(scene: Scene) -> None:
    scene.cluster.redis.kill()
    for node in [*scene.cluster.gateways, *scene.cluster.workers]:
        node.kill()
        node.start()
    await until(lambda: refused_everywhere(scene), "Redis is away")
    await asyncio.to_thread(scene.cluster.start)
    asked = await scene.clients.ask("eventsource", unique("hello"))
    assert asked.answered
    await scene.verify()
