"""How SMG is started."""

from pathlib import Path

import pytest

from bench.peers.environments import pinned_version
from bench.peers.peer import Site
from bench.peers.smg import PINS, start_smg
from bench.systems.processes import Processes
from bench.systems.upstream_process import RunningUpstream
from tests.support.bench.stand_in import make_stand_ins

pytestmark = pytest.mark.anyio


async def test_it_asks_the_model_server_and_listens_at_this_machine_only(processes: Processes, tmp_path: Path) -> None:
    stand_ins = make_stand_ins(tmp_path, "smg")
    system = await start_smg(Site(processes, tmp_path, stand_ins, RunningUpstream(7, 4321)))
    assert "--worker-urls http://127.0.0.1:4321" in stand_ins.arguments
    assert f"--host 127.0.0.1 --port {system.ports[0]}" in stand_ins.arguments
    assert "--prometheus-host 127.0.0.1" in stand_ins.arguments
    assert stand_ins.started["settings"]["TOKIO_WORKER_THREADS"] == "1"
    assert (system.side, system.version) == ("smg openai", pinned_version(PINS))
