"""How Portkey's gateway is started and asked."""

from pathlib import Path

import pytest

from bench.peers import portkey_gateway
from bench.peers.peer import Site
from bench.systems.processes import Processes
from bench.systems.upstream_process import RunningUpstream
from tests.support.bench.stand_in import make_stand_ins

pytestmark = pytest.mark.anyio


async def test_the_request_names_the_model_server_and_the_workaround_is_loaded_first(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins = make_stand_ins(tmp_path, "node")

    async def version(*_: str) -> str:
        return "v20.0.0"

    monkeypatch.setattr(portkey_gateway, "program", lambda name: str(stand_ins.commands / name))
    monkeypatch.setattr(portkey_gateway, "output_of", version)
    system = await portkey_gateway.start_portkey(Site(processes, tmp_path, stand_ins, RunningUpstream(7, 4321)))
    assert stand_ins.arguments.startswith(f"--import {tmp_path}/preload.mjs ")
    assert "new Response" in (tmp_path / "preload.mjs").read_text()
    assert system.target.headers["x-portkey-custom-host"] == "http://127.0.0.1:4321/v1"
    assert system.version == f"{portkey_gateway.pinned()} on Node v20.0.0"
