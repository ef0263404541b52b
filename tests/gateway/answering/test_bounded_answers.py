"""The logs of answers are read a few at a time, and that of one answer once."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from gateway.answering.bounded_answers import READER, BoundedAnswers
from tests.support.conditions import SOON, until
from tests.support.wire.scenario import Scenario
from wire.answer_reader import LogBatch
from wire.errors import AnswerNotFoundError, ClientFullError
from wire.redis.connection import Argument
from wire.redis.store import Store

pytestmark = pytest.mark.anyio
MOST = 3


class HeldStore(Store):
    """A store whose reads of logs wait at a gate; `waiting` counts them by their keys."""

    def __init__(self) -> None:
        super().__init__("memory://")
        self.gate, self.waiting = asyncio.Event(), Counter[str]()

    async def execute(self, *command: Argument) -> Any:
        """See Store."""
        if command[0] == "XRANGE":
            self.waiting[str(command[1])] += 1
            await self.gate.wait()
            self.waiting[str(command[1])] -= 1
        return await super().execute(*command)


class CountedTurns:
    """The turns of clients: who has waited, and what was spent; `busy` is refused, `resting` waits."""

    def __init__(self) -> None:
        self.waited, self.spent = Counter[str](), Counter[str]()
        self.busy, self.resting, self.rested = "", "", asyncio.Event()

    async def wait(self, client: str) -> None:
        """See ClientTurns."""
        self.waited[client] += 1
        if client == self.busy:
            raise ClientFullError(1)
        if client == self.resting:
            await self.rested.wait()

    def spend(self, client: str, seconds: float) -> None:
        """See ClientTurns."""
        self.spent[client] += seconds > 0


async def read(answers: BoundedAnswers, client: str, answer: str) -> LogBatch:
    READER.set(client)
    return await answers.read(answer)


async def test_few_logs_are_read_at_once_and_each_once() -> None:
    store = HeldStore()
    answers = BoundedAnswers(store, most=MOST)
    for number in range(5):
        await Scenario(store).answered(f"a{number}", "token", 2)
    reads = [
        asyncio.create_task(read(answers, f"client {number}", f"a{number}")) for number in range(5) for _ in range(4)
    ]
    await until(lambda: store.waiting.total() == MOST)
    # Others could have begun before this one, which needs no place.
    with pytest.raises(AnswerNotFoundError):
        await answers.read_token("nobody's")
    assert sorted(store.waiting.values()) == [1] * MOST
    store.gate.set()
    assert [len(batch.events) for batch in await asyncio.gather(*reads)] == [3] * 20
    await store.close()


async def test_a_client_leaves_as_many_places_as_it_takes() -> None:
    store = HeldStore()
    answers = BoundedAnswers(store, most=4)
    reads = [asyncio.create_task(read(answers, "greedy", f"a{number}")) for number in range(20)]
    await until(lambda: store.waiting.total() == 2)
    reads += [asyncio.create_task(read(answers, "modest", f"b{number}")) for number in range(2)]
    await until(lambda: store.waiting["bing:{s0}:log:b0"] == 1, "it waits behind none of the other's")
    assert store.waiting.total() == 3
    store.gate.set()
    await asyncio.gather(*reads)
    await store.close()


async def test_a_read_takes_its_clients_turn_and_counts_as_its_step() -> None:
    store, turns = Store("memory://"), CountedTurns()
    answers = BoundedAnswers(store, turns=turns)
    await Scenario(store).answered("s0-a", "token", 2)
    assert len((await read(answers, "client", "s0-a")).events) == 3
    assert (await answers.read_end("s0-a")).seq == 3
    assert turns.waited == turns.spent == {"client": 2}
    await read(answers, "", "s0-a")
    assert turns.waited == turns.spent == {"client": 2}
    await store.close()


async def test_who_rests_has_no_place_that_another_waits_for() -> None:
    store, turns = Store("memory://"), CountedTurns()
    answers, turns.resting = BoundedAnswers(store, most=1, turns=turns), "tired"
    await Scenario(store).answered("s0-a", "token", 2)
    tired = asyncio.create_task(read(answers, "tired", "s0-a"))
    await until(lambda: turns.waited["tired"] == 1)
    async with asyncio.timeout(SOON):
        assert len((await read(answers, "fresh", "s0-a")).events) == 3
    turns.rested.set()
    assert len((await tired).events) == 3
    await store.close()


async def test_who_follows_waits_on_where_its_turn_takes_too_long() -> None:
    store, turns = Store("memory://"), CountedTurns()
    await Scenario(store).answered("s0-a", "token", 2)
    turns.busy = "client"
    async with BoundedAnswers(store, turns=turns, silence=0.05) as answers, answers.follow("s0-a") as events:
        READER.set("client")
        following = asyncio.create_task(anext(events))
        await until(lambda: turns.waited["client"] > 1)
        turns.busy = ""
        assert (await following).seq == 1
        turns.busy = "client"
        with pytest.raises(ClientFullError):
            await answers.read_progress("s0-a")
    READER.set("")
    await store.close()


async def test_a_read_that_is_given_up_makes_place() -> None:
    store = HeldStore()
    answers = BoundedAnswers(store, most=1)
    first, second = (asyncio.create_task(answers.read(name)) for name in ("a", "b"))
    await until(lambda: store.waiting.total() == 1)
    first.cancel()
    store.gate.set()
    assert (await second).events == []
    await store.close()
