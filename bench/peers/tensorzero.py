"""TensorZero, a gateway in Rust that reads each chunk and writes it anew; its package for Python contains it."""

import os
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bench.clients.transports import MODEL, CompletionsTarget
from bench.peers.environments import pinned_version
from bench.peers.peer import Site, side
from bench.systems.path import System

PINS = Path(__file__).parent / "requirements" / "tensorzero.txt"
_CONFIG = """[gateway]
observability.enabled = false
disable_pseudonymous_usage_analytics = true

[models.{model}]
routing = ["upstream"]

[models.{model}.providers.upstream]
type = "openai"
model_name = "{model}"
api_base = "{url}/v1"
api_key_location = "none"
"""
# The gateway chooses its port by itself; this file then has its address, whole.
_ADDRESS = "address"
_LAUNCHER = """import os, signal, sys
from tensorzero.tensorzero import _start_http_gateway
gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
with open(sys.argv[2] + ".new", "w") as file:
    file.write(gateway.base_url)
os.rename(sys.argv[2] + ".new", sys.argv[2])
signal.pause()
"""


async def start_tensorzero(site: Site) -> System:
    """Start it with one worker thread, without a database."""
    commands = await site.environments.python(PINS)
    settings, launcher = site.folder / "tensorzero.toml", site.folder / "launcher.py"
    settings.write_text(config(site.upstream.url))
    launcher.write_text(_LAUNCHER)
    command = [commands / "python", launcher, settings, site.folder / _ADDRESS]
    running = await site.processes.start("tensorzero", command, {"TOKIO_WORKER_THREADS": 1})
    await running.until("its address", partial(_has_address, site.folder))
    address = urlsplit((site.folder / _ADDRESS).read_text())
    assert address.port is not None
    target = CompletionsTarget(f"{address.path}/chat/completions", f"tensorzero::model_name::{MODEL}")
    return side(site, running, address.port, pinned_version(PINS), target)


def config(url: str) -> str:
    """Return the configuration, for a model server's address."""
    return _CONFIG.format(model=MODEL, url=url)


async def _has_address(folder: Path) -> bool:
    return _ADDRESS in os.listdir(folder)
