"""What our path is compared with, and the standalone process."""

import json
from functools import partial
from pathlib import Path

from bench.errors import BenchError
from bench.processes import ROOT, Processes, free_ports, listens, says_ready
from bench.systems import Emulator, System, start_redis
from bench.transports import KEY, MODEL, OPENAI, SSE

_LITELLM = ROOT / "tests" / "external" / ".venv-litellm" / "bin" / "litellm"
_LITELLM_STARTING = 90.0


async def start_floor(processes: Processes, transport: str = SSE) -> System:
    """The bare app for a transport on uvicorn, one process."""
    [port] = free_ports(1)
    started = await processes.module(f"floor-{transport}", "bench.floor", {}, "--port", str(port))
    await started.until("its port", partial(listens, port))
    return System("floor", [port], {"gateway": [started.pid]}, transport=transport)


async def start_plain(processes: Processes, folder: Path, slots: int) -> System:
    """The plain way: a gateway, a producer and a Valkey of their own."""
    folder = folder / "plain"
    folder.mkdir()
    port, redis_port = free_ports(2)
    url = f"redis://127.0.0.1:{redis_port}/0"
    redis = await start_redis(processes, folder, "plain-redis", redis_port)
    producer = await processes.module(
        "plain-producer", "bench.producer", {}, "--redis", url, "--connections", str(slots + 16)
    )
    gateway = await processes.module("plain", "bench.plain", {}, "--port", str(port), "--redis", url)
    await gateway.until("GET /readyz", partial(says_ready, port))
    roles = {"gateway": [gateway.pid], "worker": [producer.pid], "redis": [redis.pid]}
    return System("plain", [port], roles, redis_port)


async def start_litellm(processes: Processes, folder: Path, emulator: Emulator) -> System:
    """LiteLLM's proxy before the emulator's other face. BenchError when it is not installed."""
    if not _LITELLM.exists():
        raise BenchError("LiteLLM is not there: run tests/external/setup.sh")
    [port] = free_ports(1)
    upstream = {"model": "openai/stand-in", "api_base": f"{emulator.url}/v1", "api_key": "bench"}
    config = {
        "model_list": [{"model_name": MODEL, "litellm_params": upstream}],
        "general_settings": {"master_key": KEY},
        "router_settings": {"num_retries": 0},
    }
    file = folder / "litellm.json"
    file.write_text(json.dumps(config))
    command: list[str | Path] = [
        _LITELLM,
        "--config",
        file,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--telemetry",
        "False",
    ]
    settings = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    started = await processes.start("litellm", command, settings)
    await started.until("GET /health/readiness", partial(says_ready, port, "/health/readiness"), _LITELLM_STARTING)
    roles = {"gateway": [started.pid], "emulator": [emulator.pid]}
    return System("litellm", [port], roles, transport=OPENAI)


async def start_standalone(processes: Processes, folder: Path) -> System:
    """Everything in one process on memory://, with the built-in stand-in: what `make run` starts without accounts."""
    [port] = free_ports(1)
    (folder / "no-cookies").mkdir()
    settings = {
        "GATEWAY_PORT": port,
        "COOKIES_DIR": folder / "no-cookies",
        "LOG_FORMAT": "json",
        # What is measured is the path, not the bound of an account, nor the stand-in's quota.
        "ACCOUNT_TURNS": 0,
        "EMULATOR_DAILY_QUOTA": 0,
    }
    started = await processes.module("standalone", "standalone", settings)
    await started.until("GET /readyz", partial(says_ready, port))
    return System("standalone", [port], {"gateway": [started.pid]})


def alone(emulator: Emulator | None) -> System:
    """What makes the answers, alone: EdgeGPT at an emulator, else the synthetic provider. It asks itself."""
    if emulator is None:
        return System("synthetic alone", [], {}, client=("bench.alone", "synthetic"))
    client = ("bench.alone", "edgegpt", emulator.create_url, emulator.chat_url)
    return System("edgegpt alone", [], {"emulator": [emulator.pid]}, client=client)
