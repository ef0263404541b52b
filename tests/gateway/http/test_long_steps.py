"""Long steps: of one client one after the other, with a rest after each, whatever another one's are."""

import asyncio
import itertools
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest

from gateway.http.long_steps import LONG, LongSteps
from tests.support.conditions import until
from wire.errors import ClientFullError

pytestmark = pytest.mark.anyio


class Processor:
    """A clock of the processor's time, and what ran on it."""

    def __init__(self) -> None:
        self.time = 0.0
        self.ran: list[str] = []

    def clock(self) -> float:
        return self.time

    async def work(self, name: str, seconds: float) -> None:
        """Take so much time in one step."""
        self.ran.append(name)
        self.time += seconds


async def serve(steps: LongSteps, client: str, work: Coroutine[Any, Any, None]) -> None:
    await steps.wait(client)
    await steps.run(client, work)


async def test_one_clients_long_steps_leave_the_loop_to_others() -> None:
    processor = Processor()
    steps = LongSteps(clock=processor.clock)
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(serve(steps, "large", processor.work("large", 0.02)))
        await asyncio.sleep(0)
        for _ in range(3):
            group.create_task(serve(steps, "small", processor.work("small", 0)))
    assert [name for name in processor.ran[:8] if name == "small"] == ["small"] * 3
    assert processor.ran.count("large") == 20


async def test_a_rest_is_as_long_as_the_step_was() -> None:
    processor = Processor()
    steps, loop = LongSteps(clock=processor.clock), asyncio.get_running_loop()
    await serve(steps, "large", processor.work("large", 0.05))
    began = loop.time()
    await serve(steps, "large", processor.work("large", 0))
    assert loop.time() - began >= 0.05 - 0.01
    await until(lambda: not steps._rests, "nothing is left")


async def test_ordinary_steps_need_no_rest() -> None:
    processor = Processor()
    steps = LongSteps(clock=processor.clock)
    for _ in range(10):
        await serve(steps, "client", processor.work("one", LONG / 2))
    assert not steps._rests


async def test_few_requests_of_one_client_begin_in_one_round_of_the_loop() -> None:
    processor, rounds = Processor(), list[int]()
    steps, loop = LongSteps(clock=processor.clock), asyncio.get_running_loop()

    def count() -> None:
        rounds.append(len(processor.ran))
        if rounds[-1] < 50:
            loop.call_soon(count)

    async with asyncio.TaskGroup() as group:
        loop.call_soon(count)
        for _ in range(50):
            group.create_task(serve(steps, "client", processor.work("one", 0)))
    begun = [after - before for before, after in itertools.pairwise(rounds)]
    assert max(begun) <= 5
    assert len(processor.ran) == 50


async def test_who_waits_too_long_is_refused() -> None:
    processor = Processor()
    steps = LongSteps(patience=0.01, clock=processor.clock)
    await serve(steps, "large", processor.work("large", 60))
    with pytest.raises(ClientFullError):
        await steps.wait("large")
    await steps.wait("small")


async def test_work_that_is_cancelled_or_fails_does_so() -> None:
    steps, seen = LongSteps(), list[str]()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError

    task = asyncio.create_task(serve(steps, "client", waits()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert seen == ["cancelled"]
    with pytest.raises(ValueError, match=r"^$"):
        await serve(steps, "client", fails())


async def test_a_time_limit_inside_of_work_ends_it() -> None:
    async def waits() -> None:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await serve(LongSteps(), "client", waits())
