"""Each peer that is installed on this machine answers as our path does."""

import shutil
from pathlib import Path

import pytest

from bench.clients import client
from bench.clients.load import LoadPlan
from bench.peers import litellm, portkey_gateway, smg, tensorzero
from bench.peers.environments import Environments
from bench.peers.peer import Site
from bench.peers.peers import PEERS
from bench.systems.processes import Processes
from bench.systems.upstream_process import start_upstream

pytestmark = pytest.mark.anyio

PINS = {
    "smg": smg.PINS,
    "tensorzero": tensorzero.PINS,
    "portkey": portkey_gateway.SOURCE / "package-lock.json",
    "litellm": litellm.PINS,
}
ENVIRONMENTS = Environments()


def installed(name: str) -> bool:
    return ENVIRONMENTS.has(PINS[name]) if name in PINS else shutil.which(name) is not None


def ignore(_: str) -> None:
    """Ignore the window."""


@pytest.mark.parametrize("name", PEERS)
async def test_a_peer_passes_on_every_chunk(name: str, processes: Processes, tmp_path: Path) -> None:
    if not installed(name):
        pytest.skip(f"{name} is not installed")
    upstream = await start_upstream(processes)
    (tmp_path / "own").mkdir()
    system = await PEERS[name](Site(processes, tmp_path / "own", ENVIRONMENTS, upstream))
    plan = LoadPlan(list(system.ports), 4, 8, 20.0, 0.1, 60.0, system.transport, system.target)
    outcome = await client.run(plan, ignore)
    assert (outcome.asked, outcome.complete, outcome.wrong, outcome.deltas) == (4, 4, {}, 32)
    assert system.version[0].isdigit()
