"""What our path is compared with, and the standalone process."""

from functools import partial
from pathlib import Path

from bench.clients.transports import SSE
from bench.systems.path import Emulator, System
from bench.systems.processes import Processes, accepts, free_ports, is_ready
from bench.systems.valkey import start_valkey


async def start_floor(processes: Processes, transport: str = SSE) -> System:
    """Start the bare app for a transport on uvicorn, one process."""
    [port] = free_ports(1)
    running = await processes.start_module(f"floor-{transport}", "bench.systems.floor", {}, "--port", str(port))
    await running.until("its port", partial(accepts, port))
    return System("floor", [port], {"gateway": [running.pid]}, transport=transport)


async def start_plain(processes: Processes, folder: Path, slots: int) -> System:
    """Start the plain way: a gateway, a worker and a Valkey of their own."""
    folder = folder / "plain"
    folder.mkdir()
    port, redis_port = free_ports(2)
    url = f"redis://127.0.0.1:{redis_port}/0"
    redis = await start_valkey(processes, folder, "plain-redis", redis_port)
    worker = await processes.start_module(
        "plain-worker", "bench.systems.plain_worker", {}, "--redis", url, "--connections", str(slots + 16)
    )
    gateway = await processes.start_module("plain", "bench.systems.plain", {}, "--port", str(port), "--redis", url)
    await gateway.until("GET /readyz", partial(is_ready, port))
    roles = {"gateway": [gateway.pid], "worker": [worker.pid], "redis": [redis.pid]}
    return System("plain", [port], roles, redis_port)


async def start_standalone(processes: Processes, folder: Path) -> System:
    """Start everything in one process on memory://, with the built-in emulator, as `make run` does without accounts."""
    [port] = free_ports(1)
    (folder / "no-cookies").mkdir()
    settings = {
        "GATEWAY_PORT": port,
        "COOKIES_DIR": folder / "no-cookies",
        "LOG_FORMAT": "json",
        # The path is measured, not the limit of an account or of one client, nor the emulator's quota.
        "ACCOUNT_TURNS": 0,
        "WORKER_SLOTS": 100,
        "EMULATOR_DAILY_QUOTA": 0,
    }
    running = await processes.start_module("standalone", "bing_chat_gateway", settings, "serve")
    await running.until("GET /readyz", partial(is_ready, port))
    return System("standalone", [port], {"gateway": [running.pid]})


def alone(emulator: Emulator | None) -> System:
    """Return what makes the answers, alone: EdgeGPT at an emulator, else the synthetic provider. It asks itself."""
    if emulator is None:
        return System("synthetic alone", [], {}, client=("bench.clients.alone", "synthetic"))
    client = ("bench.clients.alone", "edgegpt", emulator.create_url, emulator.chat_url)
    return System("edgegpt alone", [], {"emulator": [emulator.pid]}, client=client)
