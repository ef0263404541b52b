"""Gateways that die, freeze, or are told to go."""

import asyncio

import httpx
import pytest

from tests.faults.clients import unique, until
from tests.faults.cluster import Node
from tests.faults.conftest import Scene
from tests.faults.history import Exchange

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

LONG = "!deltas=400 !rate=40"


def gateway_of(scene: Scene, exchange: Exchange) -> Node:
    return scene.cluster.gateways[scene.cluster.urls.index(exchange.gateway)]


async def test_a_gateway_killed_mid_stream_is_resumed_at_another_without_a_second_turn(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=60 !rate=30"))
    await scene.streaming(asked)
    first = asked.gateway
    gateway_of(scene, asked).kill()
    await scene.clients.ended(asked)
    assert asked.answered
    assert (asked.connections, asked.gateway != first) == (2, True)
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


async def test_a_gateway_killed_before_any_text_is_resumed_at_another(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!first=2 hello"))
    await until(lambda: asked.connections and "last" in asked.headers and scene.cluster.turns(asked.question), "an id")
    gateway_of(scene, asked).kill()
    await scene.clients.ended(asked)
    assert asked.answered
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


async def test_all_gateways_killed_and_started_again_lose_no_answer(scene: Scene) -> None:
    asked = [scene.clients.start("eventsource", unique("!deltas=150 !rate=30")) for _ in range(6)]
    await scene.streaming(*asked)
    for gateway in scene.cluster.gateways:
        gateway.kill()
    for gateway in scene.cluster.gateways:
        gateway.start()
    await scene.clients.ended()
    assert all(one.answered for one in asked)
    await scene.verify()


async def test_a_killed_gateways_turn_goes_on_for_a_client_that_cannot_come_back(scene: Scene) -> None:
    asked = scene.clients.start("naive", unique("!deltas=60 !rate=30"))
    await scene.streaming(asked)
    gateway_of(scene, asked).kill()
    await scene.clients.ended(asked)
    assert asked.cut
    await until(lambda: scene.cluster.turns(asked.question)[0]["outcome"] == "Success", "the turn ends as it should")
    again = await scene.clients.ask("naive", unique("go on"), asked.given_token)
    assert again.answered
    assert scene.cluster.turns(again.question)[0]["invocation"] == "4"
    await scene.verify()


async def test_a_drained_gateway_lets_running_answers_end_and_takes_no_new_ones(scene: Scene) -> None:
    url, gateway = scene.cluster.urls[0], scene.cluster.gateways[0]
    words = "!deltas=60 !rate=30"
    running = [scene.clients.start(kind, unique(words), gateway=url) for kind in ("naive", "eventsource")]
    async with scene.clients.socket(url) as socket:
        running.append(await socket.send(unique(words)))
        await scene.streaming(*running)
        gateway.terminate()
        await until(lambda: httpx.get(f"{url}/readyz", verify=False).status_code == 503, "readiness turns red")
        late = await scene.clients.ask("whole", unique("hello"), gateway=url)
        assert (late.code, late.headers.get("retry-after")) == (503, "1")
        assert not scene.cluster.turns(late.question)
        await scene.clients.ended()
        assert await asyncio.to_thread(gateway.wait) == 0
        await until(lambda: socket.closed, "the socket closes")
        assert socket.closed == 1012
    assert all(one.answered for one in running)
    assert {one.connections for one in running[:2]} == {1}
    await scene.verify()


async def test_an_answer_longer_than_the_drain_goes_on_at_another_gateway(scene: Scene) -> None:
    url, gateway = scene.cluster.urls[1], scene.cluster.gateways[1]
    resuming = scene.clients.start("eventsource", unique("!deltas=200 !rate=30"), gateway=url)
    naive = scene.clients.start("naive", unique("!deltas=200 !rate=30"), gateway=url)
    await scene.streaming(resuming, naive)
    gateway.terminate()
    await scene.clients.ended()
    assert gateway.wait() == 0
    assert (resuming.code, resuming.connections) == (200, 2)
    assert naive.code == 503
    await until(lambda: scene.cluster.turns(naive.question)[0]["outcome"] == "Success", "the turn ends as it should")
    await scene.verify()


async def test_a_frozen_gateway_catches_up_without_gap_or_repeat(scene: Scene) -> None:
    asked = [
        scene.clients.start("eventsource", unique("!deltas=60 !rate=30"), gateway=scene.cluster.urls[2])
        for _ in range(5)
    ]
    await scene.streaming(*asked)
    scene.cluster.gateways[2].freeze()
    await until(lambda: all(scene.cluster.turns(one.question)[0]["ended"] for one in asked), "upstream is done")
    scene.cluster.gateways[2].thaw()
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


async def test_cut_at_every_event_and_resumed_elsewhere_the_bytes_equal_an_uncut_run(scene: Scene) -> None:
    async with httpx.AsyncClient(verify=False, timeout=10) as http:
        fields = {"style": "balanced", "question": unique("!deltas=30 !rate=60")}
        listening = {"accept": "text/event-stream"}
        uncut = (await http.get(f"{scene.cluster.urls[0]}/api_stream", params=fields, headers=listening)).content
        events = uncut.split(b"\n\n")[:-1]
        ids = [
            next(line[4:].decode() for line in event.split(b"\n") if line.startswith(b"id: "))
            for event in events
            if b"id: " in event
        ]
        assert len(ids) > 10
        for n, last in enumerate(ids):
            url = scene.cluster.urls[n % 3]
            resumed = await http.get(f"{url}/api_stream", params=fields, headers=listening | {"last-event-id": last})
            after = uncut.partition(last.encode())[2].partition(b"\n\n")[2]
            if n == len(ids) - 1:
                assert resumed.status_code == 204
            else:
                _, _, got = resumed.content.partition(b"\n\n")
                assert got == after
    assert len(scene.cluster.turns(fields["question"])) == 1
    await scene.verify()


@pytest.mark.parametrize("redis", [False, True], ids=["without redis", "redis too"])
async def test_a_rolling_restart_of_everything_under_load_loses_nothing(scene: Scene, redis: bool) -> None:
    nodes = [*scene.cluster.gateways, *scene.cluster.workers, *([scene.cluster.redis] if redis else [])]
    stop = asyncio.Event()
    tokens: list[str | None] = [None] * 6

    async def user(number: int) -> None:
        while not stop.is_set():
            asked = await scene.clients.ask("eventsource", unique("!deltas=20 !rate=30"), tokens[number])
            tokens[number] = asked.given_token
            if asked.refused:
                await asyncio.sleep(0.2)

    users = [asyncio.create_task(user(number)) for number in range(len(tokens))]
    for node in nodes:
        node.terminate()
        assert await asyncio.to_thread(node.wait) == 0
        await asyncio.to_thread(scene.cluster.start)
    stop.set()
    await asyncio.gather(*users)
    refused = [one for one in scene.clients.exchanges if one.refused is not None]
    assert all((one.code, "retry-after" in one.headers) == (503, True) for one in refused)
    assert not any(scene.cluster.turns(one.question) for one in refused)
    accepted = [one for one in scene.clients.exchanges if one.refused is None]
    assert len(accepted) > 20
    assert all(one.answered for one in accepted)
    await scene.verify()
