"""Questions that are asked again under the same key, and answers that are stopped, while things break."""

import time

import pytest

from tests.faults.clients import unique, until
from tests.faults.conftest import Scene

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

STEADY = "!deltas=60 !rate=30"


async def test_fifty_duplicates_at_all_gateways_are_one_turn_and_fifty_equal_answers(scene: Scene) -> None:
    question, key = unique(STEADY), unique("key-of-enough-length")
    asked = [scene.clients.start("eventsource", question, key=key) for _ in range(50)]
    await scene.clients.ended()
    assert all(one.answered for one in asked)
    assert len({str([one.end.body, "".join(one.deltas)]) for one in asked if one.end}) == 1
    assert len(scene.cluster.turns(question)) == 1
    await scene.verify()


async def test_a_question_asked_again_after_its_gateway_died_is_one_turn(scene: Scene) -> None:
    question, key = unique(STEADY), unique("key-of-enough-length")
    first = scene.clients.start("naive", question, key=key, gateway=scene.cluster.urls[0])
    await scene.streaming(first)
    scene.cluster.gateways[0].kill()
    await scene.clients.ended()
    assert first.cut
    again = await scene.clients.ask("naive", question, gateway=scene.cluster.urls[1], key=key)
    assert again.answered
    assert "".join(again.deltas).startswith("".join(first.deltas))
    assert len(scene.cluster.turns(question)) == 1
    await scene.verify()


async def test_a_question_asked_again_after_its_worker_died_keeps_its_one_end(scene: Scene) -> None:
    question, key = unique("!deltas=400 !rate=30"), unique("key-of-enough-length")
    first = scene.clients.start("eventsource", question, key=key)
    await scene.streaming(first)
    (await scene.holder(first)).kill()
    await scene.clients.ended()
    again = await scene.clients.ask("eventsource", question, key=key)
    assert (first.code, again.code) == (500, 500)
    assert "".join(again.deltas) == "".join(first.deltas)
    assert len(scene.cluster.turns(question)) == 1
    await scene.verify()


async def test_a_stop_at_another_gateway_hangs_up_upstream_within_a_second(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=400 !rate=30"), gateway=scene.cluster.urls[0])
    await scene.streaming(asked)
    assert await scene.clients.stop(asked, scene.cluster.urls[1]) == 200
    stopped = time.monotonic()
    await until(lambda: scene.cluster.turns(asked.question)[0]["ended"], "the worker hangs up")
    assert time.monotonic() - stopped < 1.5
    await scene.clients.ended()
    assert asked.answered
    assert asked.end is not None
    assert asked.end.data["reset"] is True
    again = await scene.clients.ask("whole", unique("go on"), asked.given_token)
    assert again.answered
    await scene.verify()


async def test_an_answer_stopped_while_its_worker_is_frozen_ends_once_and_the_token_lives_on(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=400 !rate=30"))
    await scene.streaming(asked)
    holder = await scene.holder(asked)
    holder.freeze()
    assert await scene.clients.stop(asked, scene.cluster.urls[2]) == 200
    await scene.clients.ended()
    assert asked.answered
    again = scene.clients.start("whole", unique("go on"), asked.given_token)
    await scene.clients.ended()
    holder.thaw()
    assert again.answered
    await scene.verify()


async def test_an_answer_stopped_and_its_worker_killed_ends_once_and_the_token_lives_on(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=400 !rate=30"))
    await scene.streaming(asked)
    holder = await scene.holder(asked)
    assert await scene.clients.stop(asked, scene.cluster.urls[2]) == 200
    holder.kill()
    again = await scene.clients.ask("eventsource", unique("go on"), asked.given_token)
    assert again.answered
    await scene.verify()
