"""What makes the answers, alone, shows each piece."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from bench.clients.load import EBBING, FULL, LoadOutcome, LoadPlan
from bench.systems import baselines
from bench.systems.path import Emulator, start_emulator
from bench.systems.processes import ROOT, Processes

pytestmark = pytest.mark.anyio

PLAN = LoadPlan([], 4, 8, 20.0, 0.1, 10.0)


def is_whole(outcome: LoadOutcome) -> bool:
    return (outcome.asked, outcome.complete, outcome.wrong, outcome.deltas) == (4, 4, {}, 32)


async def test_edgegpt_alone_shows_each_piece(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        emulator = await start_emulator(processes)
        assert await asks_alone(emulator)


async def test_the_synthetic_provider_alone_shows_each_piece() -> None:
    assert await asks_alone(None)


async def asks_alone(emulator: Emulator | None) -> bool:
    """Run the program as the bench does, and return whether its answers are complete."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", *baselines.alone(emulator).client]
    run = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)
    output, _ = await run.communicate(msgspec.json.encode(PLAN))
    full, ebbing, outcome = output.decode().splitlines()
    return (full, ebbing) == (FULL, EBBING) and is_whole(msgspec.json.decode(outcome, type=LoadOutcome))
