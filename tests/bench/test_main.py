"""The bench as a whole: a tiny run, and one that is interrupted. Nothing here asserts on speed."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from bench.__main__ import read_options
from bench.processes import ROOT

pytestmark = pytest.mark.anyio

COUNTS = {"asked", "complete", "incorrect", "unfinished"}
FIGURES = {
    "first_delta_ms",
    "delay_ms",
    "window_s",
    "deltas_per_s",
    "deltas_per_event",
    "cpu_us_per_delta",
    "kb_per_stream",
    "cores_busy",
    "cores_elsewhere",
}
DEADLINE = 50.0


async def bench(*options: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench", *options, cwd=ROOT, stdout=pipe, stderr=pipe
    )


def children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_tiny_run_reports_every_figure_and_every_answer_is_right() -> None:
    run = await bench("--streams", "6", "--deltas", "60", "--rate", "20", "--rounds", "1")
    try:
        async with asyncio.timeout(DEADLINE):
            output, told = await run.communicate()
    finally:
        if run.returncode is None:
            run.terminate()
            await run.wait()
    assert run.returncode == 0, told.decode()
    report = json.loads(output)
    assert set(report) == {"settings", "machine", "path", "floor", "ratios", "rounds"}
    for side in ("path", "floor"):
        assert set(report[side]) == FIGURES | {"answers"}
        assert report[side]["answers"] == {"asked": 6, "complete": 6, "incorrect": 0, "unfinished": 0}
        assert set(report["rounds"][side][0]["answers"]) == COUNTS | {"wrong"}
        assert report[side]["deltas_per_s"] > 0
    assert set(report["path"]["cpu_us_per_delta"]) == {"gateway", "worker", "redis", "emulator", "client"}
    assert set(report["path"]["kb_per_stream"]) == {"gateway", "worker", "redis", "emulator"}
    assert set(report["floor"]["cpu_us_per_delta"]) == {"gateway", "client"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_leaves_no_process(number: signal.Signals) -> None:
    run = await bench()
    seen: list[int] = []
    try:
        async with asyncio.timeout(DEADLINE):
            while len(seen) < 4:
                seen = children(run.pid)
                await asyncio.sleep(0.02)
            run.send_signal(number)
            output, told = await run.communicate()
    finally:
        if run.returncode is None:
            run.terminate()
            await run.wait()
    assert run.returncode == 130, told.decode()
    assert output == b""
    assert not [pid for pid in seen if running(pid)]


@pytest.mark.parametrize("wrong", [["--streams", "0"], ["--rate", "nan"], ["--rounds", "99"], ["--deltas", "many"]])
def test_a_wrong_option_ends_with_one_sentence(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options(wrong)
    assert wrong[0] in capsys.readouterr().err
