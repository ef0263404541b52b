"""How LiteLLM's proxy is started."""

import json
from pathlib import Path

import pytest

from bench.clients.transports import KEY, MODEL
from bench.peers.litellm import config, start_litellm
from bench.peers.peer import Site
from bench.systems.processes import Processes
from bench.systems.upstream_process import RunningUpstream
from tests.support.bench.stand_in import make_stand_ins

pytestmark = pytest.mark.anyio


def test_it_asks_the_model_server_once_and_takes_the_clients_key() -> None:
    parsed = json.loads(config("http://127.0.0.1:4321"))
    [model] = parsed["model_list"]
    assert (model["model_name"], model["litellm_params"]["api_base"]) == (MODEL, "http://127.0.0.1:4321/v1")
    assert (parsed["general_settings"]["master_key"], parsed["router_settings"]["num_retries"]) == (KEY, 0)


async def test_it_listens_at_this_machine_only(processes: Processes, tmp_path: Path) -> None:
    stand_ins = make_stand_ins(tmp_path, "litellm")
    system = await start_litellm(Site(processes, tmp_path, stand_ins, RunningUpstream(7, 4321)))
    assert f"--host 127.0.0.1 --port {system.ports[0]}" in stand_ins.arguments
    assert (system.side, system.version) == ("litellm openai", "1.106.2")
