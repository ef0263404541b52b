"""The time to a first delta, of one question at a time."""

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.measure.idle import first_deltas
from bench.systems.baselines import start_floor
from bench.systems.path import System
from bench.systems.processes import Processes, free_ports

pytestmark = pytest.mark.anyio


async def test_each_system_is_asked_in_turn(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        floor = await start_floor(processes)
        other = System("other", floor.ports, {})
        delays = await first_deltas([floor, other], 3)
    assert set(delays) == {"floor", "other"}
    assert delays["floor"].p50 > 0


async def test_a_system_that_does_not_answer_ends_the_run() -> None:
    with pytest.raises(BenchError, match="nobody"):
        await first_deltas([System("nobody", free_ports(1), {})], 1)
