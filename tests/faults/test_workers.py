"""Workers that die, freeze, or are told to go."""

import asyncio
import time

import pytest

from tests.faults.clients import unique, until
from tests.faults.cluster import LEASE_TTL
from tests.faults.conftest import Scene

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

# Detection, and the time that a loaded machine takes to tell.
FOUND = LEASE_TTL + 3 + 1.5


async def test_a_worker_killed_before_sending_loses_nothing_and_spends_nothing(scene: Scene) -> None:
    scene.cluster.script(account="*", create={"outcome": "slow=20", "times": 1})
    asked = scene.clients.start("eventsource", unique("hello"))
    creating = await until(lambda: scene.cluster.ledger()["creates"] and scene.cluster.holder(asked.question), "create")
    creating.kill()
    await scene.clients.ended(asked)
    assert asked.answered
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


@pytest.mark.sample
async def test_a_worker_killed_mid_stream_ends_the_answer_once_within_the_lease(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=400 !rate=20"))
    await scene.streaming(asked)
    (await scene.holder(asked)).kill()
    killed = time.monotonic()
    await scene.clients.ended(asked)
    assert asked.code == 500
    assert asked.ended is not None
    assert asked.ended - killed < FOUND
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


async def test_a_worker_killed_after_sending_and_before_any_text_is_never_asked_again(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!first=20 hello"))
    await until(lambda: scene.cluster.turns(asked.question), "the question is out")
    (await scene.holder(asked)).kill()
    await scene.clients.ended(asked)
    assert asked.code == 500
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


async def test_after_an_interruption_the_token_goes_on_in_a_fresh_conversation(scene: Scene) -> None:
    first = await scene.clients.ask("whole", unique("hello"))
    second = scene.clients.start("naive", unique("!deltas=400 !rate=20"), first.given_token)
    await scene.streaming(second)
    (await scene.holder(second)).kill()
    await scene.clients.ended(second)
    third = await scene.clients.ask("whole", unique("hello"), first.given_token)
    assert (second.code, third.code) == (500, 200)
    old, new = (scene.cluster.turns(one.question)[0]["conversation"] for one in (second, third))
    assert old != new
    await scene.verify()


async def test_a_worker_killed_between_turns_hands_the_conversation_on(scene: Scene) -> None:
    first = await scene.clients.ask("whole", unique("hello"))
    holder = await scene.holder(first)
    holder.kill()
    second = await scene.clients.ask("eventsource", unique("go on"), first.given_token)
    assert second.answered
    assert second.end is not None
    assert second.end.data["reset"] is False
    one, other = (scene.cluster.turns(asked.question)[0] for asked in (first, second))
    assert (one["conversation"], other["invocation"]) == (other["conversation"], "4")
    assert len(scene.cluster.ledger()["creates"]) == 1
    await scene.verify()


async def test_a_worker_killed_with_questions_waiting_answers_them_all_in_order(scene: Scene) -> None:
    async with scene.clients.socket() as socket:
        asked = [await socket.send(unique(f"!deltas=60 !rate=30 number {n}")) for n in range(4)]
        await scene.streaming(asked[0])
        (await scene.holder(asked[0])).kill()
        await scene.clients.ended()
    assert [one.code for one in asked] == [500, 200, 200, 200]
    await scene.verify()


async def test_a_tokens_waiting_questions_keep_their_order_when_its_worker_dies(scene: Scene) -> None:
    first = scene.clients.start("naive", unique("!deltas=200 !rate=30"))
    await scene.streaming(first)
    waiting = []
    for n in range(4):
        waiting.append(scene.clients.start("naive", unique(f"number {n}"), first.given_token))
        await until(lambda: scene.cluster.job(waiting[-1].question), "it is accepted")
    (await scene.holder(first)).kill()
    await scene.clients.ended()
    assert [one.code for one in [first, *waiting]] == [500, 200, 200, 200, 200]
    started = [scene.cluster.turns(one.question)[0]["started"] for one in waiting]
    assert started == sorted(started)
    await scene.verify()


async def test_all_workers_killed_the_first_new_one_ends_what_they_left(scene: Scene) -> None:
    sent = scene.clients.start("eventsource", unique("!deltas=400 !rate=20"))
    await scene.streaming(sent)
    for worker in scene.cluster.workers:
        worker.kill()
    waiting = scene.clients.start("eventsource", unique("hello"))
    await until(lambda: scene.cluster.job(waiting.question), "accepted")
    scene.cluster.workers[0].start()
    await scene.clients.ended()
    assert (sent.code, waiting.code) == (500, 200)
    await scene.verify()


async def test_a_frozen_worker_past_its_lease_writes_nothing_when_it_wakes(scene: Scene) -> None:
    first = await scene.clients.ask("whole", unique("hello"))
    second = scene.clients.start("eventsource", unique("!deltas=100 !rate=20"), first.given_token)
    await scene.streaming(second)
    holder = await scene.holder(second)
    holder.freeze()
    await scene.clients.ended(second)
    assert second.code == 500
    third = scene.clients.start("eventsource", unique("!deltas=60 !rate=30"), first.given_token)
    await scene.streaming(third)
    holder.thaw()
    await scene.clients.ended(third)
    assert third.answered
    await until(
        lambda: any(
            "lease lost" in str(said.get("event")) or "broken off" in str(said.get("event")) for said in holder.says()
        ),
        "the zombie notices",
    )
    await scene.verify()


async def test_a_worker_frozen_before_sending_cannot_end_what_another_answers(scene: Scene) -> None:
    scene.cluster.script(account="*", create={"outcome": "slow=20", "times": 1})
    asked = scene.clients.start("eventsource", unique("!deltas=150 !rate=30"))
    await until(lambda: scene.cluster.ledger()["creates"], "it opens a conversation")
    holder = await scene.holder(asked)
    holder.freeze()
    await scene.streaming(asked)
    holder.thaw()
    await scene.clients.ended(asked)
    assert asked.answered
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


async def test_a_worker_frozen_within_its_lease_goes_on_as_if_nothing_had_been(scene: Scene) -> None:
    asked = scene.clients.start("eventsource", unique("!deltas=60 !rate=30"))
    await scene.streaming(asked)
    holder = await scene.holder(asked)
    holder.freeze()
    count = len(asked.deltas)
    frozen = time.monotonic()
    await until(lambda: time.monotonic() - frozen > LEASE_TTL / 3, "a third of the lease")
    holder.thaw()
    await scene.clients.ended(asked)
    assert asked.answered
    assert len(asked.deltas) > count
    await scene.verify()


async def test_a_drained_worker_under_load_finishes_what_runs_and_hands_the_rest_on(scene: Scene) -> None:
    tokens = [(await scene.clients.ask("whole", unique("hello"))).given_token for _ in range(3)]
    running = [scene.clients.start("eventsource", unique("!deltas=60 !rate=30"), token) for token in tokens]
    await scene.streaming(*running)
    leaving = await scene.holder(running[0])
    leaving.terminate()
    after = [scene.clients.start("whole", unique("go on"), token) for token in tokens]
    after += [scene.clients.start("eventsource", unique("hello")) for _ in range(10)]
    await scene.clients.ended()
    assert leaving.wait() == 0
    assert all(one.answered for one in [*running, *after])
    await scene.verify()


async def test_a_worker_told_to_go_while_it_opens_a_conversation_leaves_the_question_to_others(scene: Scene) -> None:
    scene.cluster.script(account="*", create={"outcome": "slow=20", "times": 1})
    asked = scene.clients.start("whole", unique("hello"))
    creating = await until(lambda: scene.cluster.ledger()["creates"] and scene.cluster.holder(asked.question), "create")
    creating.terminate()
    await scene.clients.ended(asked)
    assert asked.answered
    assert len(scene.cluster.turns(asked.question)) == 1
    await scene.verify()


async def test_what_a_newcomer_reads_twice_while_dead_workers_hold_the_tokens_is_asked_once(scene: Scene) -> None:
    """It may judge the dead after a lease without a gap; by then its reading counts as abandoned and is repeated."""
    first = [scene.clients.start("whole", unique("!internal")) for _ in range(4)]
    await scene.clients.ended()
    tokens = [scene.cluster.token(one.question) for one in first]
    for worker in scene.cluster.workers:
        worker.kill()
    await until(lambda: not scene.cluster.alive(), "their heartbeats run out")
    scene.cluster.script(account="*", create={"outcome": "slow=1", "times": None})
    waiting = [scene.clients.start("eventsource", unique("!deltas=20 !rate=30"), token) for token in tokens]
    await until(lambda: all(scene.cluster.job(one.question) for one in waiting), "all are accepted")
    newcomer = scene.cluster.workers[0]
    newcomer.start()
    await until(lambda: scene.cluster.pending == len(waiting), "it has read them")
    newcomer.freeze()
    await asyncio.sleep(LEASE_TTL * 2 / 3)
    newcomer.thaw()
    await scene.clients.ended()
    assert all(one.answered for one in waiting)
    assert [len(scene.cluster.turns(one.question)) for one in waiting] == [1] * len(waiting)
    await scene.verify()


async def test_a_worker_that_starts_late_answers_what_waited(scene: Scene) -> None:
    for worker in scene.cluster.workers:
        worker.terminate()
    for worker in scene.cluster.workers:
        worker.wait()
    waiting = [scene.clients.start(kind, unique("hello")) for kind in ("whole", "naive", "eventsource")]
    await until(lambda: all(scene.cluster.job(one.question) for one in waiting), "all are accepted")
    scene.cluster.workers[1].start()
    await scene.clients.ended()
    assert all(one.answered for one in waiting)
    await scene.verify()


async def test_a_question_whose_workers_die_twice_before_sending_kills_no_third(scene: Scene) -> None:
    scene.cluster.script(account="*", create={"outcome": "slow=20", "times": None})
    asked = scene.clients.start("eventsource", unique("hello"))
    await until(lambda: len(scene.cluster.ledger()["creates"]) == 1, "a worker begins")
    (await scene.holder(asked)).kill()
    await until(lambda: len(scene.cluster.ledger()["creates"]) == 2, "another one begins")
    (await scene.holder(asked)).kill()
    await scene.clients.ended()
    assert asked.code == 500
    assert not scene.cluster.turns(asked.question)
    scene.cluster.script(account="*", create={"outcome": None})
    again = await scene.clients.ask("whole", unique("hello"))
    assert again.answered
    await scene.verify()
