"""A load client ends with its block."""

import msgspec
import pytest

from bench.clients.load import LoadOutcome, LoadPlan
from bench.errors import BenchError
from bench.measure.load_client import load_client
from bench.systems.processes import free_ports

pytestmark = pytest.mark.anyio

CLIENT = ("bench.clients.client",)


async def test_it_reads_a_plan_and_writes_its_outcome() -> None:
    plan = LoadPlan(free_ports(1), 2, 1, 1.0, 0.0, 5.0)
    async with load_client(CLIENT, 20) as client:
        output, _ = await client.communicate(msgspec.json.encode(plan))
    assert client.returncode == 0
    assert msgspec.json.decode(output, type=LoadOutcome).incorrect == 2


async def test_one_that_takes_too_long_is_killed() -> None:
    with pytest.raises(BenchError, match="did not end in time"):
        async with load_client(CLIENT, 0.1) as client:
            # It still waits for its plan.
            pass
    assert client.returncode == -9


async def test_it_is_killed_when_the_body_fails() -> None:
    with pytest.raises(RuntimeError):
        async with load_client(CLIENT, 20) as client:
            raise RuntimeError
    assert client.returncode == -9
