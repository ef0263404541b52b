"""A Redis that forgets: everything, or its last second. Workers and gateways live on."""

import asyncio

import pytest

from tests.faults.clients import unique, until
from tests.faults.conftest import Scene
from tests.faults.history import Exchange, Kind

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

STEADY = "!deltas=90 !rate=30"
KINDS: list[Kind] = ["eventsource", "naive", "whole"]


def forget_everything(scene: Scene, how: str) -> None:
    if how == "flushed":
        scene.cluster.client.flushall()
    else:
        scene.cluster.restart_redis(None)


def asked_once(scene: Scene, *asked: Exchange) -> bool:
    """Whether each of these questions reached the upstream, and only once."""
    return [len(scene.cluster.turns(one.question)) for one in asked] == [1] * len(asked)


async def serves_on(scene: Scene) -> None:
    """Everything that was asked has an explicit end, nothing is asked twice, and whoever asks now is answered."""
    await scene.clients.ended()
    assert all(one.code in (200, 500, 503) for one in scene.clients.exchanges)
    after = [scene.clients.start(kind, unique("hello")) for kind in KINDS]
    await scene.clients.ended()
    assert all(one.answered for one in after)
    again = await scene.clients.ask("whole", unique("go on"), after[0].given_token)
    assert again.answered
    await scene.verify(whole=False)


@pytest.mark.parametrize("how", ["flushed", "restarted"])
async def test_a_redis_that_forgets_everything_ends_running_answers_explicitly_and_serves_on(
    scene: Scene, how: str
) -> None:
    asked = [scene.clients.start(kind, unique(STEADY)) for kind in KINDS]
    async with scene.clients.socket() as socket:
        asked.append(await socket.send(unique(STEADY)))
        await scene.streaming(*(one for one in asked if one.streaming))
        forget_everything(scene, how)
        await scene.clients.ended()
    assert asked_once(scene, *asked)
    await serves_on(scene)


@pytest.mark.parametrize("how", ["flushed", "restarted"])
async def test_a_redis_that_forgets_everything_ends_what_waited_explicitly_and_serves_on(
    scene: Scene, how: str
) -> None:
    first = scene.clients.start("naive", unique(STEADY))
    await scene.streaming(first)
    waiting = [scene.clients.start("eventsource", unique("hello"), first.given_token) for _ in range(3)]
    await until(lambda: all(scene.cluster.job(one.question) for one in waiting), "all are accepted")
    forget_everything(scene, how)
    await serves_on(scene)


@pytest.mark.parametrize("how", ["flushed", "restarted"])
async def test_a_redis_that_forgets_everything_before_a_question_is_sent_costs_at_most_one_turn(
    scene: Scene, how: str
) -> None:
    scene.cluster.script(account="*", create={"outcome": "slow=2", "times": 3})
    asked = [scene.clients.start(kind, unique("hello")) for kind in KINDS]
    await until(lambda: len(scene.cluster.ledger()["creates"]) == len(asked), "conversations are being opened")
    forget_everything(scene, how)
    await serves_on(scene)


@pytest.mark.parametrize("how", ["flushed", "restarted"])
async def test_an_answer_that_is_streamed_while_redis_forgets_everything_stays_whole(scene: Scene, how: str) -> None:
    """Its worker says again what it holds, and goes on."""
    asked = scene.clients.start("eventsource", unique("!deltas=150 !rate=30"))
    await scene.streaming(asked)
    forget_everything(scene, how)
    await scene.clients.ended()
    assert asked.code in (200, 500)
    assert asked.answered or asked.deltas
    await serves_on(scene)


async def test_a_worker_frozen_while_redis_forgets_everything_writes_into_no_other_answer(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=150 !rate=30"))
    await scene.streaming(asked)
    holder = await scene.holder(asked)
    holder.freeze()
    scene.cluster.client.flushall()
    others = [scene.clients.start("eventsource", unique(STEADY)) for _ in range(4)]
    await scene.clients.ended(asked)
    holder.thaw()
    await scene.clients.ended()
    assert all(one.answered for one in others)
    assert asked_once(scene, asked, *others)
    await serves_on(scene)


async def test_a_redis_that_loses_its_last_second_goes_on_with_running_answers_or_ends_them_explicitly(
    scene: Scene,
) -> None:
    asked = [scene.clients.start(kind, unique(STEADY)) for kind in KINDS]
    await scene.streaming(*asked[:2])
    data = scene.cluster.data()
    await scene.streaming(*asked[:2], deltas=15)
    scene.cluster.restart_redis(data)
    await scene.clients.ended()
    assert asked_once(scene, *asked)
    await serves_on(scene)


async def test_a_question_sent_in_the_second_that_redis_loses_is_not_sent_again(scene: Scene) -> None:
    """As Redis remembers it, it is claimed and not sent."""
    scene.cluster.script(account="*", create={"outcome": "slow=1", "times": 3})
    asked = [scene.clients.start(kind, unique("!deltas=60 !rate=30")) for kind in KINDS]
    await until(lambda: len(scene.cluster.ledger()["creates"]) == len(asked), "conversations are being opened")
    data = scene.cluster.data()
    await until(lambda: all(scene.cluster.turns(one.question) for one in asked), "all are sent")
    scene.cluster.restart_redis(data)
    await scene.clients.ended()
    assert asked_once(scene, *asked)
    await serves_on(scene)


async def test_a_question_that_waited_before_the_second_that_redis_loses_and_was_sent_in_it_is_not_sent_again(
    scene: Scene,
) -> None:
    """As Redis remembers it, it waits behind one that still runs."""
    first = scene.clients.start("naive", unique("!deltas=30 !rate=30"))
    await scene.streaming(first)
    second = scene.clients.start("eventsource", unique("!deltas=60 !rate=30"), first.given_token)
    third = scene.clients.start("eventsource", unique("hello"), first.given_token)
    await until(lambda: scene.cluster.job(third.question), "both are accepted")
    data = scene.cluster.data()
    await scene.streaming(second)
    scene.cluster.restart_redis(data)
    await scene.clients.ended()
    assert first.answered
    assert asked_once(scene, first, second)
    await serves_on(scene)


async def test_a_question_that_redis_forgets_to_have_accepted_ends_explicitly_and_is_not_sent_again(
    scene: Scene,
) -> None:
    data = scene.cluster.data()
    asked = [scene.clients.start(kind, unique("!deltas=60 !rate=30")) for kind in KINDS]
    await until(lambda: all(scene.cluster.turns(one.question) for one in asked), "all are sent")
    scene.cluster.restart_redis(data)
    await scene.clients.ended()
    assert asked_once(scene, *asked)
    await serves_on(scene)


async def test_an_answer_that_ended_in_the_second_that_redis_loses_is_not_asked_again(scene: Scene) -> None:
    """As Redis remembers it, it still runs; and its token's conversation is a question further than remembered."""
    first = await scene.clients.ask("whole", unique("hello"))
    second = scene.clients.start("naive", unique("!deltas=20 !rate=60"), first.given_token)
    await scene.streaming(second)
    data = scene.cluster.data()
    await scene.clients.ended()
    scene.cluster.restart_redis(data)
    third = await scene.clients.ask("eventsource", unique("go on"), first.given_token)
    assert second.answered
    assert asked_once(scene, first, second)
    assert third.code in (200, 500)
    await serves_on(scene)


async def test_a_token_whose_last_turn_redis_forgets_goes_on_or_begins_afresh_explicitly(scene: Scene) -> None:
    """A number of the conversation that was used must not be used again."""
    first = await scene.clients.ask("whole", unique("hello"))
    data = scene.cluster.data()
    second = await scene.clients.ask("whole", unique("hello"), first.given_token)
    scene.cluster.restart_redis(data)
    third = await scene.clients.ask("eventsource", unique("go on"), first.given_token)
    assert (first.code, second.code) == (200, 200)
    assert asked_once(scene, first, second)
    assert third.code in (200, 500)
    await serves_on(scene)


async def test_a_question_asked_again_under_its_key_after_the_lost_second_is_not_sent_again(scene: Scene) -> None:
    question, key = unique("!deltas=60 !rate=30"), unique("key-of-enough-length")
    scene.cluster.script(account="*", create={"outcome": "slow=1", "times": 1})
    first = scene.clients.start("eventsource", question, key=key)
    await until(lambda: scene.cluster.ledger()["creates"], "a conversation is being opened")
    data = scene.cluster.data()
    await scene.streaming(first)
    await asyncio.to_thread(scene.cluster.restart_redis, data)
    await scene.clients.ended()
    again = await scene.clients.ask("eventsource", question, key=key)
    assert again.code in (200, 500)
    assert len(scene.cluster.turns(question)) == 1
    scene.clients.exchanges.remove(again)  # has the end alone, if what came before it is lost
    await serves_on(scene)


async def test_a_worker_that_dies_together_with_redis_and_its_last_second_leaves_an_explicit_end(scene: Scene) -> None:
    """The one exception: nobody is left who knows that it was sent, so it may be sent again."""
    scene.cluster.script(account="*", create={"outcome": "slow=1", "times": 1})
    asked = scene.clients.start("eventsource", unique("!deltas=60 !rate=30"))
    await until(lambda: scene.cluster.ledger()["creates"], "a conversation is being opened")
    holder, data = await scene.holder(asked), scene.cluster.data()
    await scene.streaming(asked)
    holder.kill()
    scene.cluster.restart_redis(data)
    await scene.clients.ended()
    assert asked.code in (200, 500)
    assert len(asked.terminals) == 1
    assert len(scene.cluster.turns(asked.question)) <= 2
    scene.clients.exchanges.clear()
    await serves_on(scene)
