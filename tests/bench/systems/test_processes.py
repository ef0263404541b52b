"""Processes end with what started them."""

import sys
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.systems.processes import Processes, RunningProcess, accepts, free_ports, is_ready, session
from tests.support.conditions import until

pytestmark = pytest.mark.anyio

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


async def never() -> bool:
    return False


async def start(processes: Processes, name: str, code: str) -> RunningProcess:
    return await processes.start(name, [sys.executable, "-c", code], {})


async def test_all_have_ended_when_the_block_is_left_even_those_that_ignore_the_signal(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        polite = await start(processes, "polite", "import time; time.sleep(60)")
        stubborn = await start(processes, "stubborn", STUBBORN)

        async def deaf() -> bool:
            return stubborn.logged("deaf")

        await stubborn.until("its output", deaf)
    assert polite.process.returncode == -15
    assert stubborn.process.returncode == -9


async def test_what_a_deaf_process_started_ends_with_it(tmp_path: Path) -> None:
    code = f"import subprocess; subprocess.Popen(['sleep', '600']); {STUBBORN}"
    async with Processes(tmp_path) as processes:
        stubborn = await start(processes, "stubborn", code)

        async def deaf() -> bool:
            return stubborn.logged("deaf")

        await stubborn.until("its output", deaf)
        assert len(stubborn.family()) == 2
    await until(lambda: not stubborn.family(), "no process left")


def test_a_session_is_read_also_where_the_name_has_brackets() -> None:
    assert session("12 (a (b) c) S 1 12 34 0 -1") == 34


async def test_a_process_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        failing = await start(processes, "failing", "raise SystemExit('no such port')")
        with pytest.raises(BenchError, match="failing ended at once: no such port"):
            await failing.until("never", never)


async def test_a_process_sees_only_the_settings_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")
    async with Processes(tmp_path) as processes:
        code = "import os; print('REDIS_URL' in os.environ, os.environ['LEASE_TTL'])"
        started = await processes.start("seeing", [sys.executable, "-c", code], {"LEASE_TTL": 3})
        await started.process.wait()
        assert started.logged("False 3")


async def test_free_ports_differ_and_nothing_listens_there() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    assert not await accepts(ports[0])
    assert not await is_ready(ports[0])
