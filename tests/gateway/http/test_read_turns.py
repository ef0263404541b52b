"""The turns of what connections have read: of one client one in a round of the loop, and none while it rests."""

import asyncio
import itertools

import pytest

from gateway.http.long_steps import LONG, LongSteps
from gateway.http.read_turns import SMALL, ReadTurns
from tests.support.conditions import until

pytestmark = pytest.mark.anyio


class Connection:
    """Writes down its name in each of its turns, and waits for as many as it wants."""

    def __init__(self, turns: ReadTurns, name: str, ran: list[str], wanted: int = 1) -> None:
        self._turns = turns
        self._name = name
        self._ran = ran
        self._wanted = wanted

    def read_on(self) -> None:
        """See HeldRead."""
        self._ran.append(self._name)
        self._wanted -= 1
        if self._wanted:
            self._turns.wait("client", self)


async def test_connections_of_a_client_go_on_one_after_the_other_one_in_a_round() -> None:
    turns, ran, rounds = ReadTurns(LongSteps()), list[str](), list[int]()
    for name in "abc":
        turns.wait("client", Connection(turns, name, ran, 2))
    while len(ran) < 6:
        rounds.append(len(ran))
        await asyncio.sleep(0)
    assert ran == [*"abcabc"]
    assert max(after - before for before, after in itertools.pairwise(rounds)) == 1
    await until(lambda: not turns._waiting, "nothing is left")


async def test_none_has_its_turn_while_its_client_rests() -> None:
    steps, ran, loop = LongSteps(), list[str](), asyncio.get_running_loop()
    turns, began = ReadTurns(steps), loop.time()
    steps.spend("client", 0.05)
    turns.wait("client", Connection(turns, "a", ran))
    assert not turns.may_read("client")
    assert turns.may_read("other")
    await until(lambda: ran)
    assert loop.time() - began >= 0.05
    await until(lambda: turns.may_read("client"))


async def test_a_rest_that_begins_while_connections_wait_counts_too() -> None:
    steps, ran, loop = LongSteps(), list[str](), asyncio.get_running_loop()
    turns, began = ReadTurns(steps), loop.time()
    turns.wait("client", Connection(turns, "a", ran))
    steps.spend("client", 0.05)
    await until(lambda: ran)
    assert loop.time() - began >= 0.05


async def test_who_comes_while_others_wait_has_to_wait_too() -> None:
    turns, ran = ReadTurns(LongSteps()), list[str]()
    assert turns.may_read("client")
    turns.wait("client", Connection(turns, "a", ran))
    assert not turns.may_read("client")
    await until(lambda: turns.may_read("client"))
    assert ran == ["a"]


async def test_a_connection_that_leaves_has_no_turn() -> None:
    turns, ran = ReadTurns(LongSteps()), list[str]()
    connections = [Connection(turns, name, ran) for name in "abc"]
    for connection in connections:
        turns.wait("client", connection)
    turns.leave("client", connections[1])
    turns.leave("other", connections[1])
    await until(lambda: not turns._waiting)
    assert ran == ["a", "c"]


async def test_a_turn_that_fails_leaves_the_others_theirs() -> None:
    turns, ran = ReadTurns(LongSteps()), list[str]()
    failing = Connection(turns, "failing", ran, 0)
    asyncio.get_running_loop().set_exception_handler(lambda *_: ran.append("failed"))
    failing.read_on = lambda: next(iter(()))  # type: ignore[method-assign]
    turns.wait("client", failing)
    turns.wait("client", Connection(turns, "a", ran))
    await until(lambda: not turns._waiting)
    assert ran == ["failed", "a"]


async def test_large_reads_are_measured_and_small_ones_where_a_round_has_many() -> None:
    turns = ReadTurns(LongSteps())
    assert turns.is_measured("client", SMALL + 1)
    assert [turns.is_measured("client", SMALL) for _ in range(6)] == [False] * 4 + [True] * 2
    await asyncio.sleep(0)
    assert not turns.is_measured("client", SMALL)
    assert not turns.is_measured("", 10 * SMALL)


async def test_clients_with_few_reads_are_forgotten() -> None:
    turns = ReadTurns(LongSteps())
    for number in range(1000):
        assert not turns.is_measured(f"client {number}", 1)
        await asyncio.sleep(0)
    assert len(turns._reads) < 100


async def test_the_reads_of_one_round_are_as_long_as_their_sum() -> None:
    steps = LongSteps()
    steps.spend("client", 0.6 * LONG)
    await asyncio.sleep(0)
    steps.spend("client", 0.6 * LONG)
    assert not steps.rest_until("client")
    steps.spend("client", 0.6 * LONG)
    assert steps.rest_until("client") > 0
