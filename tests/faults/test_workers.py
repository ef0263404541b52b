"""Workers that die, freeze or drain."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.conditions import until
from tests.support.faults import flows
from tests.support.faults.breakable_system import LEASE_TTL
from tests.support.faults.clients import unique
from tests.support.faults.cluster import Cluster
from tests.support.faults.node import Node
from tests.support.faults.scenario import FaultScenario
from tests.support.processes import wait_until, write_accounts

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

# Detection, and the time that a loaded machine takes to notice.
FOUND = LEASE_TTL + 3 + 1.5


async def test_a_worker_killed_before_sending_loses_nothing_and_spends_nothing(scenario: FaultScenario) -> None:
    scenario.cluster.script(account="*", create={"outcome": "slow=20", "times": 1})
    exchange = scenario.clients.start("eventsource", unique("hello"))
    creating = await until(
        lambda: scenario.cluster.ledger()["creates"] and scenario.cluster.holder(exchange.question), "create"
    )
    creating.kill()
    await scenario.clients.ended(exchange)
    assert exchange.answered
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


@pytest.mark.sample
async def test_a_worker_killed_mid_stream_ends_the_answer_once_within_the_lease(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=400 !rate=20"))
    await scenario.streaming(exchange)
    (await scenario.holder(exchange)).kill()
    killed = time.monotonic()
    await scenario.clients.ended(exchange)
    assert exchange.code == 500
    assert exchange.ended is not None
    assert exchange.ended - killed < FOUND
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_a_worker_killed_after_sending_and_before_any_text_is_never_asked_again(scenario: FaultScenario) -> None:
    await flows.kill_worker_after_sending(scenario)


async def test_after_an_interruption_the_token_continues_in_a_fresh_conversation(scenario: FaultScenario) -> None:
    first = await scenario.clients.ask("whole", unique("hello"))
    second = scenario.clients.start("naive", unique("!deltas=400 !rate=20"), first.given_token)
    await scenario.streaming(second)
    (await scenario.holder(second)).kill()
    await scenario.clients.ended(second)
    third = await scenario.clients.ask("whole", unique("hello"), first.given_token)
    assert (second.code, third.code) == (500, 200)
    old, new = (scenario.cluster.turns(exchange.question)[0]["conversation"] for exchange in (second, third))
    assert old != new
    await scenario.verify()


async def test_a_worker_killed_between_turns_hands_the_conversation_on(scenario: FaultScenario) -> None:
    first = await scenario.clients.ask("whole", unique("hello"))
    holder = await scenario.holder(first)
    holder.kill()
    second = await scenario.clients.ask("eventsource", unique("go on"), first.given_token)
    assert second.answered
    assert second.end is not None
    assert second.end.data["reset"] is False
    first_turn, second_turn = (scenario.cluster.turns(exchange.question)[0] for exchange in (first, second))
    assert (first_turn["conversation"], second_turn["invocation"]) == (second_turn["conversation"], "4")
    assert len(scenario.cluster.ledger()["creates"]) == 1
    await scenario.verify()


async def test_a_worker_killed_with_questions_waiting_answers_them_all_in_order(scenario: FaultScenario) -> None:
    async with scenario.clients.socket() as socket:
        exchanges = [await socket.send(unique(f"!deltas=60 !rate=30 number {number}")) for number in range(4)]
        await scenario.streaming(exchanges[0])
        (await scenario.holder(exchanges[0])).kill()
        await scenario.clients.ended()
    assert [exchange.code for exchange in exchanges] == [500, 200, 200, 200]
    await scenario.verify()


async def test_a_tokens_waiting_questions_keep_their_order_when_its_worker_dies(scenario: FaultScenario) -> None:
    first = scenario.clients.start("naive", unique("!deltas=200 !rate=30"))
    await scenario.streaming(first)
    waiting = []
    for number in range(4):
        waiting.append(scenario.clients.start("naive", unique(f"number {number}"), first.given_token))
        await until(lambda: scenario.cluster.job(waiting[-1].question), "it is accepted")
    (await scenario.holder(first)).kill()
    await scenario.clients.ended()
    assert [exchange.code for exchange in [first, *waiting]] == [500, 200, 200, 200, 200]
    started = [scenario.cluster.turns(exchange.question)[0]["started"] for exchange in waiting]
    assert started == sorted(started)
    await scenario.verify()


@contextmanager
def worker_without_account(cluster: Cluster, folder: Path) -> Iterator[Node]:
    """One more worker, which has started but for an account, and waits for one to be put into `folder`."""
    node = cluster.worker("late", COOKIES_DIR=str(folder))
    cluster.workers.append(node)
    node.start()
    try:
        wait_until(lambda: any("waiting for one" in record["event"] for record in node.says()), "it waits")
        yield node
    finally:
        node.end()
        cluster.workers.remove(node)


async def test_all_workers_killed_the_first_new_one_ends_what_they_left(
    scenario: FaultScenario, tmp_path: Path
) -> None:
    sent = scenario.clients.start("eventsource", unique("!deltas=400 !rate=20"))
    await scenario.streaming(sent)
    with worker_without_account(scenario.cluster, tmp_path) as newcomer:
        for worker in scenario.cluster.workers:
            if worker is not newcomer:
                worker.kill()
        waiting = scenario.clients.start("eventsource", unique("hello"))
        await until(lambda: scenario.cluster.job(waiting.question), "accepted")
        write_accounts(tmp_path, "a0")
        await scenario.clients.ended()
        assert (sent.code, waiting.code) == (500, 200)
        await scenario.verify()


async def test_a_frozen_worker_past_its_lease_writes_nothing_when_it_wakes(scenario: FaultScenario) -> None:
    first = await scenario.clients.ask("whole", unique("hello"))
    second = scenario.clients.start("eventsource", unique("!deltas=100 !rate=20"), first.given_token)
    await scenario.streaming(second)
    holder = await scenario.holder(second)
    holder.freeze()
    await scenario.clients.ended(second)
    assert second.code == 500
    third = scenario.clients.start("eventsource", unique("!deltas=60 !rate=30"), first.given_token)
    await scenario.streaming(third)
    holder.thaw()
    await scenario.clients.ended(third)
    assert third.answered
    await until(
        lambda: any(
            "lease lost" in str(record.get("event")) or "broken off" in str(record.get("event"))
            for record in holder.says()
        ),
        "the zombie notices",
    )
    await scenario.verify()


async def test_a_worker_frozen_before_sending_cannot_end_what_another_answers(scenario: FaultScenario) -> None:
    scenario.cluster.script(account="*", create={"outcome": "slow=20", "times": 1})
    exchange = scenario.clients.start("eventsource", unique("!deltas=150 !rate=30"))
    await until(lambda: scenario.cluster.ledger()["creates"], "it opens a conversation")
    holder = await scenario.holder(exchange)
    holder.freeze()
    await scenario.streaming(exchange)
    holder.thaw()
    await scenario.clients.ended(exchange)
    assert exchange.answered
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_a_worker_frozen_within_its_lease_continues_undisturbed(scenario: FaultScenario) -> None:
    exchange = scenario.clients.start("eventsource", unique("!deltas=60 !rate=30"))
    await scenario.streaming(exchange)
    holder = await scenario.holder(exchange)
    holder.freeze()
    count = len(exchange.deltas)
    frozen = time.monotonic()
    await until(lambda: time.monotonic() - frozen > LEASE_TTL / 3, "a third of the lease")
    holder.thaw()
    await scenario.clients.ended(exchange)
    assert exchange.answered
    assert len(exchange.deltas) > count
    await scenario.verify()


async def test_a_drained_worker_under_load_finishes_what_runs_and_hands_the_rest_on(scenario: FaultScenario) -> None:
    tokens = [(await scenario.clients.ask("whole", unique("hello"))).given_token for _ in range(3)]
    running = [scenario.clients.start("eventsource", unique("!deltas=60 !rate=30"), token) for token in tokens]
    await scenario.streaming(*running)
    leaving = await scenario.holder(running[0])
    leaving.terminate()
    after = [scenario.clients.start("whole", unique("go on"), token) for token in tokens]
    after += [scenario.clients.start("eventsource", unique("hello")) for _ in range(10)]
    await scenario.clients.ended()
    assert leaving.wait() == 0
    assert all(exchange.answered for exchange in [*running, *after])
    await scenario.verify()


async def test_a_worker_that_drains_while_it_opens_a_conversation_returns_the_question(
    scenario: FaultScenario,
) -> None:
    """Another worker answers it."""
    scenario.cluster.script(account="*", create={"outcome": "slow=20", "times": 1})
    exchange = scenario.clients.start("whole", unique("hello"))
    creating = await until(
        lambda: scenario.cluster.ledger()["creates"] and scenario.cluster.holder(exchange.question), "create"
    )
    creating.terminate()
    await scenario.clients.ended(exchange)
    assert exchange.answered
    assert len(scenario.cluster.turns(exchange.question)) == 1
    await scenario.verify()


async def test_turns_of_dead_workers_tokens_are_asked_once_by_a_worker_that_freezes(
    scenario: FaultScenario, tmp_path: Path
) -> None:
    """It takes them before it may judge the dead, and freezes before it has sent them."""
    first = [scenario.clients.start("whole", unique("!internal")) for _ in range(4)]
    await scenario.clients.ended()
    tokens = [scenario.cluster.token(exchange.question) for exchange in first]
    with worker_without_account(scenario.cluster, tmp_path) as newcomer:
        for worker in scenario.cluster.workers:
            if worker is not newcomer:
                worker.kill()
        await until(lambda: not scenario.cluster.alive(), "their heartbeats run out")
        scenario.cluster.script(account="*", create={"outcome": "slow=1", "times": None})
        waiting = [scenario.clients.start("eventsource", unique("!deltas=20 !rate=30"), token) for token in tokens]
        await until(lambda: all(scenario.cluster.job(exchange.question) for exchange in waiting), "all are accepted")
        write_accounts(tmp_path, "a0")
        await until(lambda: all(_is_taken(scenario.cluster, exchange.question) for exchange in waiting), "it has them")
        newcomer.freeze()
        await asyncio.sleep(LEASE_TTL * 2 / 3)
        newcomer.thaw()
        await scenario.clients.ended()
        assert all(exchange.answered for exchange in waiting)
        assert [len(scenario.cluster.turns(exchange.question)) for exchange in waiting] == [1] * len(waiting)
        await scenario.verify()


def _is_taken(cluster: Cluster, question: str) -> bool:
    job = cluster.job(question)
    return job is not None and job[b"state"] != b"QUEUED"


async def test_a_worker_that_starts_late_answers_what_waited(scenario: FaultScenario, tmp_path: Path) -> None:
    """It gets an account late: so a slow machine's start takes nothing from the time that a question may wait."""
    with worker_without_account(scenario.cluster, tmp_path) as late:
        others = [worker for worker in scenario.cluster.workers if worker is not late]
        for worker in others:
            worker.terminate()
        for worker in others:
            worker.wait()
        waiting = [scenario.clients.start(kind, unique("hello")) for kind in ("whole", "naive", "eventsource")]
        await until(lambda: all(scenario.cluster.job(exchange.question) for exchange in waiting), "all are accepted")
        write_accounts(tmp_path, "a0")
        await scenario.clients.ended()
        assert all(exchange.answered for exchange in waiting)
        await scenario.verify()


async def test_a_question_whose_workers_die_twice_before_sending_kills_no_third(scenario: FaultScenario) -> None:
    scenario.cluster.script(account="*", create={"outcome": "slow=20", "times": None})
    exchange = scenario.clients.start("eventsource", unique("hello"))
    await until(lambda: len(scenario.cluster.ledger()["creates"]) == 1, "a worker begins")
    (await scenario.holder(exchange)).kill()
    await until(lambda: len(scenario.cluster.ledger()["creates"]) == 2, "another one begins")
    (await scenario.holder(exchange)).kill()
    await scenario.clients.ended()
    assert exchange.code == 500
    assert not scenario.cluster.turns(exchange.question)
    scenario.cluster.script(account="*", create={"outcome": None})
    again = await scenario.clients.ask("whole", unique("hello"))
    assert again.answered
    await scenario.verify()
