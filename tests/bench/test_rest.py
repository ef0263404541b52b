"""The time to a first delta, of one question at a time."""

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.processes import Processes, free_ports
from bench.rest import first_deltas
from bench.rivals import start_floor
from bench.systems import System

pytestmark = pytest.mark.anyio


async def test_each_system_is_asked_in_turn(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        floor = await start_floor(processes)
        other = System("other", floor.ports, {})
        found = await first_deltas([floor, other], 3)
    assert set(found) == {"floor", "other"}
    assert found["floor"].p50 > 0


async def test_a_system_that_does_not_answer_ends_the_run() -> None:
    with pytest.raises(BenchError, match="nobody"):
        await first_deltas([System("nobody", free_ports(1), {})], 1)
