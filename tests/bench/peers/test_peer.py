"""A peer as a side."""

import sys
from pathlib import Path

import pytest

from bench.clients.transports import OPENAI
from bench.peers.environments import Environments
from bench.peers.peer import Site, side
from bench.systems.processes import Processes
from bench.systems.upstream_process import RunningUpstream

pytestmark = pytest.mark.anyio


async def test_all_its_processes_count_and_the_model_server_apart_from_them(
    processes: Processes, tmp_path: Path
) -> None:
    code = "import subprocess, time; subprocess.Popen(['sleep', '60']); print('both', flush=True); time.sleep(60)"
    running = await processes.start("two", [sys.executable, "-c", code], {})

    async def both() -> bool:
        return running.logged("both")

    await running.until("its child", both)
    system = side(Site(processes, tmp_path, Environments(tmp_path), RunningUpstream(7, 4321)), running, 5, "1.0")
    assert running.pid in system.roles["gateway"]
    assert len(system.roles["gateway"]) == 2
    assert (system.roles["upstream"], system.side, system.ports) == ([7], f"two {OPENAI}", [5])
