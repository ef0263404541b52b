import asyncio

import pytest

from emulator.pacing import Pacer
from emulator.steps import Pause, Tick

pytestmark = pytest.mark.anyio


async def seconds(pacer: Pacer, *steps: Pause | Tick) -> float:
    """Return how long the steps take."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for step in steps:
        await pacer.wait(step)
    return loop.time() - start


async def test_a_pace_of_zero_waits_only_for_exact_steps() -> None:
    assert await seconds(Pacer(0.0), Pause(60.0), Tick(60.0), Tick(60.0)) < 5
    assert await seconds(Pacer(0.0), Pause(0.05, exact=True)) >= 0.05


async def test_the_first_beat_is_at_once_and_the_others_do_not_drift() -> None:
    pacer = Pacer(1.0)
    assert await seconds(pacer, Tick(30.0)) < 5
    ticks = [Tick(0.02, exact=True)] * 6
    assert await seconds(Pacer(0.0), *ticks) >= 0.1
