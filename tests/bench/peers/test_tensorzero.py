"""How TensorZero is started and asked."""

import tomllib
from pathlib import Path

import pytest

from bench.peers.peer import Site
from bench.peers.tensorzero import config, start_tensorzero
from bench.systems.processes import Processes
from bench.systems.upstream_process import RunningUpstream
from tests.support.bench.stand_in import make_stand_ins

pytestmark = pytest.mark.anyio


def test_its_only_model_is_the_model_servers() -> None:
    parsed = tomllib.loads(config("http://127.0.0.1:4321"))
    [model] = parsed["models"].values()
    [provider] = model["providers"].values()
    assert provider["api_base"] == "http://127.0.0.1:4321/v1"
    assert parsed["gateway"]["observability"]["enabled"] is False


async def test_it_is_asked_where_it_says_that_it_listens(processes: Processes, tmp_path: Path) -> None:
    stand_ins = make_stand_ins(tmp_path, "python")
    system = await start_tensorzero(Site(processes, tmp_path, stand_ins, RunningUpstream(7, 4321)))
    assert system.target.path == "/openai/v1/chat/completions"
    assert system.target.model.endswith("::bench")
    address = (tmp_path / "address").read_text()
    assert address == f"http://127.0.0.1:{system.ports[0]}/openai/v1"
    assert (system.side, system.version) == ("tensorzero openai", "2026.6.0")
