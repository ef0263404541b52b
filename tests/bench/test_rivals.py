"""What our path is compared with gives whole answers."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from bench import client, rivals
from bench.load import EBBING, FULL, Outcome, Plan
from bench.processes import ROOT, Processes
from bench.systems import Emulator, start_emulator
from bench.transports import SOCKET, SSE

pytestmark = pytest.mark.anyio


def told(_: str) -> None:
    """Nobody listens."""


def plan(ports: list[int], transport: str = SSE) -> Plan:
    return Plan(ports, 4, 8, 20.0, 0.1, 10.0, transport)


def whole(outcome: Outcome) -> bool:
    return (outcome.asked, outcome.complete, outcome.wrong, outcome.deltas) == (4, 4, {}, 32)


async def test_the_floor_answers_both_ways(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        for transport in (SSE, SOCKET):
            floor = await rivals.start_floor(processes, transport)
            assert floor.transport == transport
            assert whole(await client.run(plan(list(floor.ports), transport), told))


async def test_the_plain_way_answers_also_after_it_had_nothing_to_do(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        plain = await rivals.start_plain(processes, tmp_path, 16)
        for _ in range(2):
            assert whole(await client.run(plan(list(plain.ports)), told))
    assert set(plain.roles) == {"gateway", "worker", "redis"}


async def test_the_standalone_process_answers(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        standalone = await rivals.start_standalone(processes, tmp_path)
        assert whole(await client.run(plan(list(standalone.ports)), told))


async def test_edgegpt_alone_shows_each_piece(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        emulator = await start_emulator(processes)
        assert await asked_alone(emulator)


async def test_the_synthetic_provider_alone_shows_each_piece() -> None:
    assert await asked_alone(None)


async def asked_alone(emulator: Emulator | None) -> bool:
    """Whether all is whole, by the program as the bench starts it."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", *rivals.alone(emulator).client]
    run = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    output, _ = await asyncio.wait_for(run.communicate(msgspec.json.encode(plan([]))), 20)
    full, ebbing, outcome = output.decode().splitlines()
    return (full, ebbing) == (FULL, EBBING) and whole(msgspec.json.decode(outcome, type=Outcome))
