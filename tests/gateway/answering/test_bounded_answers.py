"""The logs of answers are read a few at a time, and that of one answer once."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from gateway.answering.bounded_answers import BoundedAnswers
from tests.support.conditions import until
from tests.support.wire.scenario import Scenario
from wire.errors import AnswerNotFoundError
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


async def test_few_logs_are_read_at_once_and_each_once() -> None:
    store = HeldStore()
    answers = BoundedAnswers(store, most=MOST)
    for number in range(5):
        await Scenario(store).answered(f"a{number}", "token", 2)
    reads = [asyncio.create_task(answers.read(f"a{number}")) for number in range(5) for _ in range(4)]
    await until(lambda: store.waiting.total() == MOST)
    # Others could have begun before this one, which needs no place.
    with pytest.raises(AnswerNotFoundError):
        await answers.read_token("nobody's")
    assert sorted(store.waiting.values()) == [1] * MOST
    store.gate.set()
    assert [len(events) for events in await asyncio.gather(*reads)] == [3] * 20
    await store.close()


async def test_a_read_that_is_given_up_makes_place() -> None:
    store = HeldStore()
    answers = BoundedAnswers(store, most=1)
    first, second = (asyncio.create_task(answers.read(name)) for name in ("a", "b"))
    await until(lambda: store.waiting.total() == 1)
    first.cancel()
    store.gate.set()
    assert await second == []
    await store.close()
