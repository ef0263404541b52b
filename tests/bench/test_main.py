"""The bench as a whole: a tiny run, and one that is interrupted. Nothing here asserts on speed."""

import asyncio
import json
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from bench import __main__ as main
from bench.measure.cases import Case
from bench.measure.rounds import AnswerCounts, Round
from bench.systems.path import System
from bench.systems.processes import ROOT
from tests.support.conditions import until

pytestmark = pytest.mark.anyio

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
    "redis_commands",
    "redis_kb_per_answer",
    "cpu_us_per_delta_whole",
}
DEADLINE = 100.0


async def bench(*options: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    # A shell's background job ignores Ctrl-C, and so do its children; a bench in the foreground doesn't.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench", *options, cwd=ROOT, stdout=pipe, stderr=pipe, preexec_fn=heed
    )


def children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def at_least(count: int, pid: int) -> list[int] | None:
    """Return a process's children once there are so many."""
    pids = children(pid)
    return pids if len(pids) >= count else None


def running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_tiny_run_reports_every_figure_and_every_answer_is_right(tmp_path: Path) -> None:
    options = ("--streams", "6", "--seconds", "1", "--rounds", "1", "--sides", "", "--output", str(tmp_path))
    run = await bench(*options)
    try:
        async with asyncio.timeout(DEADLINE):
            output, errors = await run.communicate()
    finally:
        if run.returncode is None:
            run.terminate()
            await run.wait()
    assert run.returncode == 0, errors.decode()
    report = json.loads(output)
    assert json.loads((tmp_path / "result.json").read_text()) == report
    assert "met" in (tmp_path / "table.md").read_text()
    assert list(report["compared"]) == ["path sse 6", "path ws 6", "floor sse 6", "floor ws 6"]
    for side in report["compared"].values():
        assert side["answers"] == {"asked": 6, "complete": 6, "incorrect": 0, "unfinished": 0}
        assert set(side["figures"]) == FIGURES
        assert side["figures"]["deltas_per_s"][1] > 0
    figures = report["compared"]["path sse 6"]["figures"]
    assert set(figures["cpu_us_per_delta"]) == {"gateway", "worker", "redis", "client"}
    assert set(figures["kb_per_stream"]) == {"gateway", "worker", "redis"}
    assert figures["kb_per_stream"]["redis"] == figures["redis_kb_per_answer"]
    assert set(figures["cpu_us_per_delta_whole"]) == {"gateway", "worker", "redis"}
    assert "evalsha" in figures["redis_commands"]


async def test_memory_counts_only_where_a_system_never_had_more_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    async def measured(*_: object) -> Round:
        return Round(AnswerCounts(1, 1, 0, 0, {}), None, kb_per_stream={"gateway": 10.0})

    monkeypatch.setattr(main, "run_round", measured)
    system = System("path", [1], {})
    few, many = (Case(system, streams, 20.0, 1.0) for streams in (5, 50))
    results = await main.RoundRunner({"path sse": {}}).run([few, many], 2)
    known = {name: [round_.kb_per_stream is not None for round_ in rounds] for name, rounds in results.items()}
    assert known == {"path sse 5": [True, False], "path sse 50": [True, True]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_run_leaves_no_process(number: signal.Signals) -> None:
    run = await bench()
    try:
        processes = await until(lambda: at_least(4, run.pid), "the processes of a run", limit=DEADLINE)
        async with asyncio.timeout(DEADLINE):
            run.send_signal(number)
            output, errors = await run.communicate()
    finally:
        if run.returncode is None:
            run.terminate()
            await run.wait()
    assert run.returncode == 130, errors.decode()
    assert output == b""
    assert not [pid for pid in processes if running(pid)]
