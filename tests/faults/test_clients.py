"""Clients that don't read, vanish, or come in crowds."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import quote

import pytest

from tests.support.conditions import until
from tests.support.faults.clients import unique
from tests.support.faults.cluster import connections
from tests.support.faults.history import Kind
from tests.support.faults.quiescence import await_quiescence
from tests.support.faults.scenario import FaultScenario

pytestmark = [pytest.mark.anyio, pytest.mark.faults]

MEGABYTE = 2**20


@contextmanager
def deaf_client(url: str, question: str) -> Iterator[socket.socket]:
    """A client that asks and doesn't read."""
    port = int(url.rpartition(":")[2])
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        path = f"/api_stream?style=balanced&question={quote(question)}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        yield connection


async def test_clients_that_never_read_cost_bounded_memory_and_slow_nobody(scenario: FaultScenario) -> None:
    url, gateway = scenario.cluster.urls[0], scenario.cluster.gateways[0]
    await scenario.clients.ask("naive", unique("hello"), gateway=url)
    before = gateway.memory
    questions = [unique("!deltas=2500 !rate=1500") for _ in range(10)]
    with ExitStack() as deaf:
        for question in questions:
            deaf.enter_context(deaf_client(url, question))
        exchange = await scenario.clients.ask("naive", unique("hello"), gateway=url)
        assert exchange.answered
        assert exchange.ended is not None
        assert exchange.ended - exchange.began < 5
        await until(
            lambda: sum(len(scenario.cluster.turns(question)) for question in questions) == len(questions),
            "all asked",
            limit=20,
        )
        await until(
            lambda: all(turn["ended"] for turn in scenario.cluster.ledger()["turns"]), "all done upstream", limit=20
        )
        assert gateway.memory - before < 2 * MEGABYTE * len(questions)
    await scenario.verify()


async def test_a_client_that_reads_slowly_gets_the_whole_answer(scenario: FaultScenario) -> None:
    question = unique("!long=400000")
    with deaf_client(scenario.cluster.urls[1], question) as connection:
        await until(lambda: all(turn["ended"] for turn in scenario.cluster.turns(question)), "done upstream")
        received = b""
        while b'"done": true' not in received:
            received += await asyncio.to_thread(connection.recv, 4096)
            await asyncio.sleep(0.001)
    frames = [json.loads(line[6:]) for line in received.split(b"\n") if line.startswith(b"data: ")]
    *deltas, end = [frame["data"] for frame in frames]
    assert "".join(delta["answer"] for delta in deltas) == end["answer"]
    assert len(end["answer"]) > 300_000  # without its citation marks
    await scenario.verify()


async def test_a_client_that_vanishes_mid_stream_does_not_stop_its_question(scenario: FaultScenario) -> None:
    exchanges = [scenario.clients.start(kind, unique("!deltas=60 !rate=30")) for kind in ("naive", "eventsource")]
    await scenario.streaming(*exchanges)
    for exchange in exchanges:
        scenario.clients.leave(exchange)
    await until(
        lambda: all(scenario.cluster.turns(exchange.question)[0]["outcome"] == "Success" for exchange in exchanges),
        "the turns end",
    )
    again = await scenario.clients.ask("whole", unique("go on"), exchanges[0].given_token)
    assert again.answered
    assert scenario.cluster.turns(again.question)[0]["invocation"] == "4"
    await scenario.verify()


async def test_a_crowd_that_vanishes_leaves_no_connection_and_no_subscription(scenario: FaultScenario) -> None:
    crowd = [scenario.clients.start("naive", unique("!deltas=60 !rate=30")) for _ in range(60)]
    await scenario.streaming(*crowd, deltas=1)
    for exchange in crowd:
        scenario.clients.leave(exchange)
    await until(lambda: not any(map(connections, scenario.cluster.ports)), "the connections are closed")
    await scenario.verify()


async def test_a_socket_that_vanishes_with_questions_sent_ahead_drops_those_unspent(scenario: FaultScenario) -> None:
    async with scenario.clients.socket() as connection:
        exchanges = [await connection.send(unique("!deltas=60 !rate=30")) for _ in range(4)]
        await scenario.streaming(exchanges[0])
    await scenario.clients.ended()
    await until(lambda: scenario.cluster.turns(exchanges[0].question)[0]["outcome"] == "Success", "the first one ends")
    await_quiescence(scenario.cluster)
    assert [len(scenario.cluster.turns(exchange.question)) for exchange in exchanges] == [1, 0, 0, 0]
    await scenario.verify()


async def test_a_burst_over_all_gateways_is_answered_once_each(scenario: FaultScenario) -> None:
    began = time.monotonic()
    kinds: list[Kind] = ["whole", "naive", "eventsource"]
    exchanges = [scenario.clients.start(kinds[n % 3], unique("!deltas=10 !rate=20")) for n in range(120)]
    await scenario.clients.ended()
    assert all(exchange.answered for exchange in exchanges)
    assert time.monotonic() - began < 20
    await scenario.verify()


async def test_questions_of_one_token_at_all_gateways_at_once_run_one_at_a_time(scenario: FaultScenario) -> None:
    token = (await scenario.clients.ask("whole", unique("hello"))).given_token
    exchanges = [scenario.clients.start("eventsource", unique("!deltas=10 !rate=60"), token) for _ in range(9)]
    await scenario.clients.ended()
    assert all(exchange.answered for exchange in exchanges)
    turns = sorted(
        (scenario.cluster.turns(exchange.question)[0] for exchange in exchanges), key=lambda turn: turn["started"]
    )
    assert [int(turn["invocation"]) for turn in turns] == list(range(4, 13))
    await scenario.verify()


@pytest.mark.parametrize("how", ["killed", "told to go"])
async def test_a_socket_that_vanishes_and_then_its_worker_before_sending_leaves_nothing(
    scenario: FaultScenario, how: str
) -> None:
    scenario.cluster.script(account="*", create={"outcome": "slow=20", "times": 1})
    async with scenario.clients.socket() as connection:
        exchange = await connection.send(unique("hello"))
        creating = await until(
            lambda: scenario.cluster.ledger()["creates"] and scenario.cluster.holder(exchange.question),
            "a worker begins",
        )
    await until(lambda: not any(map(connections, scenario.cluster.ports)), "the gateway has closed it")
    if how == "killed":
        creating.kill()
    else:
        creating.terminate()
    await scenario.verify()
