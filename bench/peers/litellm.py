"""LiteLLM's proxy."""

import json
from functools import partial
from pathlib import Path

from bench.clients.transports import KEY, MODEL
from bench.peers.environments import pinned_version
from bench.peers.peer import Site, side
from bench.systems.path import System
from bench.systems.processes import ROOT, free_ports, is_ready

PINS = ROOT / "tests" / "external" / "requirements" / "litellm.txt"
_START_LIMIT = 90.0


async def start_litellm(site: Site) -> System:
    """Start it as one process, without a database."""
    commands = await site.environments.python(PINS)
    [port] = free_ports(1)
    file = site.folder / "litellm.json"
    file.write_text(config(site.upstream.url))
    listen = ["--host", "127.0.0.1", "--port", str(port)]
    settings = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    command: list[str | Path] = [commands / "litellm", "--config", file, *listen, "--telemetry", "False"]
    running = await site.processes.start("litellm", command, settings)
    await running.until("GET /health/readiness", partial(is_ready, port, "/health/readiness"), _START_LIMIT)
    return side(site, running, port, pinned_version(PINS))


def config(url: str) -> str:
    """Return the configuration, for a model server's address."""
    upstream = {"model": f"openai/{MODEL}", "api_base": f"{url}/v1", "api_key": KEY}
    return json.dumps(
        {
            "model_list": [{"model_name": MODEL, "litellm_params": upstream}],
            "general_settings": {"master_key": KEY},
            "router_settings": {"num_retries": 0},
        }
    )
