"""Lines that delay, go deaf, break, or lose a reply: to Redis and to the upstream."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.faults.chaos import Line
from tests.faults.clients import unique, until
from tests.faults.cluster import LEASE_TTL, Cluster, running
from tests.faults.conftest import Scene
from tests.faults.history import Exchange

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

STEADY = "!deltas=60 !rate=30"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Every process reaches Redis over a line of its own, and the workers reach the upstream over one."""
    with running(tmp_path_factory.mktemp("lines"), chaos=True) as started:
        yield started


def lines(scene: Scene, kind: str) -> list[Line]:
    return [line for name, line in scene.cluster.lines.items() if name.startswith(kind)]


def upstream(scene: Scene) -> Line:
    assert scene.cluster.upstream is not None
    return scene.cluster.upstream


async def line_of(scene: Scene, exchange: Exchange) -> Line:
    """The line to Redis of the worker that has the question."""
    return scene.cluster.lines[(await scene.holder(exchange)).name]


# What each script's request holds and others' don't.
REPLIES = {"claim": b"claim:", "mark sent": b"sent:", "append": b'"delta"', "finish": b"finish:"}


@pytest.mark.parametrize("call", REPLIES)
async def test_a_lost_reply_to_a_worker_costs_nothing_and_repeats_nothing(scene: Scene, call: str) -> None:
    for line in lines(scene, "worker"):
        line.lose_reply(REPLIES[call])
    first = await scene.clients.ask("eventsource", unique(STEADY))
    second = await scene.clients.ask("eventsource", unique("go on"), first.given_token)
    assert sum(line.lost for line in lines(scene, "worker")) >= 1
    assert first.answered
    assert second.answered
    await scene.verify()


# Where replies to workers and to gateways are cut in two.
CUT_FOR_WORKERS = {"claim": b'"claimed"', "mark sent": b"\r\nsent\r\n", "finish": b'"idle"'}
CUT_FOR_GATEWAYS = {"acceptance": b"accepted", "event": b'"delta"', "end": b'"final"'}


@pytest.mark.parametrize("reply", CUT_FOR_WORKERS)
async def test_a_reply_cut_in_two_on_its_way_to_a_worker_costs_nothing_and_repeats_nothing(
    scene: Scene, reply: str
) -> None:
    for line in lines(scene, "worker"):
        line.halve_reply(CUT_FOR_WORKERS[reply])
    first = await scene.clients.ask("eventsource", unique(STEADY))
    second = await scene.clients.ask("eventsource", unique("go on"), first.given_token)
    assert sum(line.lost for line in lines(scene, "worker")) >= 1
    assert (first.code, second.code) == (200, 200)
    await scene.verify()


@pytest.mark.parametrize("reply", CUT_FOR_GATEWAYS)
async def test_a_reply_cut_in_two_on_its_way_to_a_gateway_costs_nothing_and_repeats_nothing(
    scene: Scene, reply: str
) -> None:
    for line in lines(scene, "gateway"):
        line.halve_reply(CUT_FOR_GATEWAYS[reply])
    asked = await scene.clients.ask("eventsource", unique(STEADY))
    assert sum(line.lost for line in lines(scene, "gateway")) == 1
    assert (asked.code, asked.connections) == (200, 1)
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


async def test_a_lost_reply_to_a_question_handed_over_asks_it_once(scene: Scene) -> None:
    question = unique("hello")
    for line in lines(scene, "gateway"):
        line.lose_reply(question.encode())
    asked = await scene.clients.ask("whole", question)
    assert sum(line.lost for line in lines(scene, "gateway")) == 1
    assert asked.answered
    assert len(scene.cluster.turns(question)) == 1
    await scene.verify()


async def test_a_gateway_whose_line_to_redis_goes_deaf_makes_up_for_it(scene: Scene) -> None:
    asked = [
        scene.clients.start("eventsource", unique("!deltas=120 !rate=30"), gateway=scene.cluster.urls[0])
        for _ in range(3)
    ]
    await scene.streaming(*asked)
    line = scene.cluster.lines["gateway0"]
    line.black_hole()
    refused = await scene.clients.ask("whole", unique("hello"), gateway=scene.cluster.urls[0])
    assert refused.code == 503
    line.heal()
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


async def test_a_gateway_whose_subscriptions_alone_go_half_open_makes_up_for_it(scene: Scene) -> None:
    """Commands go through all the while: only the probe can tell."""
    url, line = scene.cluster.urls[0], scene.cluster.lines["gateway0"]
    first = [scene.clients.start("eventsource", unique("!deltas=120 !rate=30"), gateway=url) for _ in range(3)]
    await scene.streaming(*first)
    line.silence(b"SUBSCRIBE")
    asked = scene.clients.start("eventsource", unique("!deltas=150 !rate=30"), gateway=url)
    await scene.streaming(asked)
    await until(lambda: scene.cluster.subscribers(asked.answer) == 1, "its subscription reaches Redis after all")
    await scene.clients.ended()
    assert line.lost == 1
    assert all(one.answered and one.connections == 1 for one in [*first, asked])
    await scene.verify()


async def test_a_gateway_whose_line_to_redis_breaks_makes_up_for_it(scene: Scene) -> None:
    asked = [
        scene.clients.start("eventsource", unique("!deltas=90 !rate=30"), gateway=scene.cluster.urls[1])
        for _ in range(3)
    ]
    for round_ in range(3):
        await scene.streaming(*asked, deltas=3 + 20 * round_)
        scene.cluster.lines["gateway1"].reset()
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


async def test_a_worker_whose_line_to_redis_breaks_goes_on(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=90 !rate=30"))
    for round_ in range(3):
        await scene.streaming(asked, deltas=3 + 20 * round_)
        (await line_of(scene, asked)).reset()
    await scene.clients.ended()
    assert asked.answered
    await scene.verify()


async def test_a_worker_deaf_to_redis_within_its_lease_goes_on(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=90 !rate=30"))
    await scene.streaming(asked)
    line = await line_of(scene, asked)
    line.black_hole()
    await asyncio.sleep(LEASE_TTL / 3)
    line.heal()
    await scene.clients.ended()
    assert asked.answered
    await scene.verify()


async def test_a_worker_cut_off_past_its_lease_writes_nothing_when_it_is_back(scene: Scene) -> None:
    first = await scene.clients.ask("whole", unique("hello"))
    second = scene.clients.start("eventsource", unique("!deltas=240 !rate=30"), first.given_token)
    await scene.streaming(second)
    line = await line_of(scene, second)
    line.black_hole()
    await scene.clients.ended(second)
    assert second.code == 500
    third = scene.clients.start("eventsource", unique("!deltas=90 !rate=30"), first.given_token)
    await scene.streaming(third)
    line.heal()
    await scene.clients.ended(third)
    assert third.answered
    await scene.verify()


async def test_a_worker_cut_off_before_sending_sends_nothing_any_more(scene: Scene) -> None:
    scene.cluster.script(account="*", create={"outcome": "slow=5", "times": 1})
    asked = scene.clients.start("eventsource", unique("hello"))
    await until(lambda: scene.cluster.ledger()["creates"], "it opens a conversation")
    line = await line_of(scene, asked)
    line.black_hole()
    await scene.clients.ended(asked)
    assert asked.answered
    line.heal()
    await scene.verify()
    assert len(scene.cluster.turns(asked.question)) == 1


async def test_slow_lines_to_redis_only_cost_time(scene: Scene) -> None:
    for line in scene.cluster.lines.values():
        line.delay(0.05)
    asked = [scene.clients.start("eventsource", unique(STEADY)) for _ in range(4)]
    await scene.clients.ended()
    assert all(one.answered for one in asked)
    await scene.verify()


async def test_a_gateway_on_a_slow_line_that_redis_cuts_off_for_falling_behind_misses_nothing(scene: Scene) -> None:
    url, line, before = scene.cluster.urls[2], scene.cluster.lines["gateway2"], scene.cluster.cut_off
    asked = [scene.clients.start("eventsource", unique("!deltas=150 !rate=30"), gateway=url) for _ in range(4)]
    await scene.streaming(*asked)
    line.delay(0.1)
    scene.cluster.flood()
    await until(lambda: scene.cluster.cut_off > before, "Redis hangs up on the gateway")
    line.heal()
    await scene.clients.ended()
    assert all(one.answered and one.connections == 1 for one in asked)
    await scene.verify()


async def test_an_upstream_line_that_breaks_mid_answer_is_told_and_never_asked_again(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=200 !rate=30"))
    await scene.streaming(asked)
    upstream(scene).reset()
    await scene.clients.ended()
    assert asked.code == 500
    assert asked.deltas
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


async def test_an_upstream_line_that_goes_deaf_mid_answer_ends_with_the_idle_limit(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=400 !rate=30"))
    await scene.streaming(asked)
    upstream(scene).black_hole()
    await scene.clients.ended()
    assert asked.code == 500
    assert len(scene.cluster.turns(asked.question)) == 1
    upstream(scene).heal()
    await scene.verify()


async def test_an_upstream_that_takes_no_connection_spends_nothing(scene: Scene) -> None:
    upstream(scene).reset(refuse=True)
    asked = await scene.clients.ask("whole", unique("hello"))
    assert asked.code == 500
    assert not scene.cluster.turns(asked.question)
    upstream(scene).heal()
    again = await scene.clients.ask("whole", unique("hello"))
    assert again.answered
    await scene.verify()


async def test_a_create_whose_reply_is_cut_in_two_spends_nothing_and_another_account_answers(scene: Scene) -> None:
    upstream(scene).halve_reply(b"conversationId")
    asked = await scene.clients.ask("eventsource", unique("hello"))
    assert upstream(scene).lost == 1
    assert asked.answered
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


async def test_a_final_record_cut_in_two_ends_the_answer_once_and_is_never_asked_again(scene: Scene) -> None:
    upstream(scene).halve_reply(b'"type":2')
    asked = await scene.clients.ask("eventsource", unique("!deltas=20 !rate=60"))
    assert upstream(scene).lost == 1
    assert asked.code == 500
    assert asked.deltas
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


@pytest.mark.parametrize("count", [600, 3000, 8000])
async def test_an_upstream_line_cut_at_any_byte_ends_the_answer_once(scene: Scene, count: int) -> None:
    upstream(scene).cut_after(count)
    asked = await scene.clients.ask("eventsource", unique("!deltas=100 !rate=200"))
    # Before the question had left another account answers it.
    assert asked.code == (200 if count == 600 else 500)
    assert len(scene.cluster.turns(asked.question)) <= 1
    await scene.verify()
