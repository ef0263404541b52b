"""The baselines answer completely."""

from pathlib import Path

import pytest

from bench.clients import client
from bench.clients.load import LoadOutcome, LoadPlan
from bench.clients.transports import SOCKET, SSE
from bench.systems import baselines
from bench.systems.processes import Processes

pytestmark = pytest.mark.anyio


def ignore(_: str) -> None:
    """Ignore the window."""


def plan(ports: list[int], transport: str = SSE) -> LoadPlan:
    return LoadPlan(ports, 4, 8, 20.0, 0.1, 60.0, transport)


def whole(outcome: LoadOutcome) -> bool:
    return (outcome.asked, outcome.complete, outcome.wrong, outcome.deltas) == (4, 4, {}, 32)


async def test_the_floor_answers_both_ways(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        for transport in (SSE, SOCKET):
            floor = await baselines.start_floor(processes, transport)
            assert floor.transport == transport
            assert whole(await client.run(plan(list(floor.ports), transport), ignore))


async def test_the_plain_way_answers_also_after_it_had_nothing_to_do(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        plain = await baselines.start_plain(processes, tmp_path, 16)
        for _ in range(2):
            assert whole(await client.run(plan(list(plain.ports)), ignore))
    assert set(plain.roles) == {"gateway", "worker", "redis"}


async def test_the_standalone_process_answers(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        standalone = await baselines.start_standalone(processes, tmp_path)
        assert whole(await client.run(plan(list(standalone.ports)), ignore))
