"""SMG, a router in Rust that passes chunks on as they are."""

from functools import partial
from pathlib import Path

from bench.peers.environments import pinned_version
from bench.peers.peer import Site, side
from bench.systems.path import System
from bench.systems.processes import free_ports, is_ready

PINS = Path(__file__).parent / "requirements" / "smg.txt"


async def start_smg(site: Site) -> System:
    """Start it with one worker thread, without a history, metrics on a port of their own."""
    commands = await site.environments.python(PINS)
    port, metrics = free_ports(2)
    options = ["--backend", "openai", "--worker-urls", site.upstream.url, "--policy", "round_robin"]
    options += ["--history-backend", "none", "--disable-tokenizer-autoload", "--log-level", "warn"]
    options += ["--host", "127.0.0.1", "--port", str(port)]
    options += ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(metrics)]
    settings = {"TOKIO_WORKER_THREADS": 1}
    running = await site.processes.start("smg", [commands / "smg", "launch", *options], settings)
    await running.until("GET /readiness", partial(is_ready, port, "/readiness"))
    return side(site, running, port, pinned_version(PINS))
