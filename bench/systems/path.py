"""Our path with all its processes, ready to be measured."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from bench.clients.transports import MODEL, OPENAI, SSE, USUAL_TARGET, CompletionsTarget
from bench.systems.processes import ROOT, Processes, RunningProcess, accepts, free_ports, is_ready
from bench.systems.upstream_process import RunningUpstream
from bench.systems.valkey import start_valkey

SYNTHETIC, EDGEGPT, OPENAI_SERVER = "bench.synthetic:Synthetic", "edgegpt", "openai"
_ACCOUNTS = 4
LEASE_TTL = 15
# Answers and sessions expire before they fill Redis: a run asks thousands of questions.
_ANSWER_TTL = 30
_SESSION_TTL = 120
# The module that asks: `python -m bench.clients.client`.
LOAD_CLIENT = ("bench.clients.client",)


@dataclass(frozen=True)
class System:
    """Where to ask, the processes behind it by their role, its Redis's port (0 for none), what asks it, and how.

    `version`: of somebody else's program.
    """

    name: str
    ports: Sequence[int]
    roles: Mapping[str, Sequence[int]]
    redis: int = 0
    client: Sequence[str] = LOAD_CLIENT
    transport: str = SSE
    target: CompletionsTarget = USUAL_TARGET
    version: str = ""

    @property
    def side(self) -> str:
        """Its name and how it is asked."""
        return f"{self.name} {self.transport}"


@dataclass(frozen=True)
class Emulator:
    """The running emulator."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def create_url(self) -> str:
        """Where EdgeGPT creates a conversation."""
        return f"{self.url}/turing/conversation/create"

    @property
    def chat_url(self) -> str:
        """Where EdgeGPT opens its socket."""
        return f"ws://127.0.0.1:{self.port}/sydney/ChatHub"


@dataclass(frozen=True)
class PathSettings:
    """Settings of a path's processes that differ from the bench's own, and the tree whose code they run."""

    shared: Mapping[str, object] = field(default_factory=dict)
    gateway: Mapping[str, object] = field(default_factory=dict)
    worker: Mapping[str, object] = field(default_factory=dict)
    tree: Path = ROOT


_DEFAULT = PathSettings()


async def start_path(
    processes: Processes, folder: Path, name: str, slots: int, gateways: int, changes: PathSettings = _DEFAULT
) -> System:
    """Start Valkey, one worker that makes the answers itself and gateways, ready for `slots` questions at once."""
    folder = folder / name
    folder.mkdir()
    write_accounts(folder / "cookies")
    redis_port, *ports = free_ports(1 + gateways)
    redis = await start_valkey(processes, folder, f"{name}-redis", redis_port)
    shared = {**_shared_settings(redis_port), **changes.shared}
    worker_settings = {**_worker_settings(folder, slots), **changes.worker}
    gateway_settings = {
        "QUEUE_LIMIT": max(1000, slots),
        "CLIENT_LIMIT": max(1000, slots),
        "CONNECTION_LIMIT": 1_000_000,
        "STORE_BYTES": 2**40,
        **changes.gateway,
    }
    worker = await processes.start_module(f"{name}-worker", "worker", shared | worker_settings, tree=changes.tree)
    running = [
        await processes.start_module(
            f"{name}-gateway{number}",
            "gateway",
            shared | gateway_settings | {"GATEWAY_PORT": port},
            tree=changes.tree,
        )
        for number, port in enumerate(ports)
    ]
    await worker.until("its log", partial(_logged, worker, "worker ready"))
    for gateway, port in zip(running, ports, strict=True):
        await gateway.until("GET /readyz", partial(is_ready, port))
    roles = {"gateway": [gateway.pid for gateway in running], "worker": [worker.pid], "redis": [redis.pid]}
    return System(name, ports, roles, redis_port)


def _shared_settings(redis_port: int) -> dict[str, object]:
    return {
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "LOG_FORMAT": "json",
        "DRAIN_TIMEOUT": 1,
        "ANSWER_TTL": _ANSWER_TTL,
        "SESSION_TTL": _SESSION_TTL,
    }


def _worker_settings(folder: Path, slots: int) -> dict[str, object]:
    return {
        "PROVIDER": SYNTHETIC,
        "COOKIES_DIR": folder / "cookies",
        # All are one client's, and a single client gets three quarters of the places.
        "WORKER_SLOTS": slots * 3 // 2,
        # The path is measured, not the limit of an account.
        "ACCOUNT_TURNS": 0,
        "LEASE_TTL": LEASE_TTL,
    }


async def start_edgegpt_path(processes: Processes, folder: Path, name: str, slots: int, emulator: Emulator) -> System:
    """Start a path with one gateway whose worker asks the emulator by way of EdgeGPT."""
    worker = {
        "PROVIDER": EDGEGPT,
        "BING_CREATE_URL": emulator.create_url,
        "BING_CHAT_URL": emulator.chat_url,
        "BING_IMAGE_URL": emulator.url,
    }
    path = await start_path(processes, folder, name, slots, 1, PathSettings(worker=worker))
    return replace(path, roles={**path.roles, "emulator": [emulator.pid]})


async def start_served_path(
    processes: Processes, folder: Path, name: str, slots: int, upstream: RunningUpstream, tree: Path = ROOT
) -> list[System]:
    """Start a path whose worker asks the model server, with a gateway for /v1 and one for /api_stream."""
    worker = {"PROVIDER": OPENAI_SERVER, "OPENAI_BASE_URL": f"{upstream.url}/v1", "OPENAI_MODEL": MODEL}
    transports = (OPENAI, SSE)
    path = await start_path(processes, folder, name, slots, len(transports), PathSettings(worker=worker, tree=tree))
    roles = {**path.roles, "upstream": [upstream.pid]}
    return split_by_transport(replace(path, roles=roles), transports)


def split_by_transport(path: System, transports: Sequence[str]) -> list[System]:
    """Return the path for each transport, with its own gateways: shared ones would keep the larger memory of both."""
    each = len(path.ports) // len(transports)
    systems = []
    for number, transport in enumerate(transports):
        own = slice(number * each, (number + 1) * each)
        roles = {**path.roles, "gateway": path.roles["gateway"][own]}
        systems.append(replace(path, ports=path.ports[own], roles=roles, transport=transport))
    return systems


async def wait_for_workers(lease_ttl: float = LEASE_TTL) -> None:
    """Wait as a gateway does: after a start of Redis it takes no question until all workers could report their jobs."""
    await asyncio.sleep(lease_ttl / 2)


def write_accounts(folder: Path) -> None:
    """Write fake exports of accounts, as Cookie-Editor makes them."""
    folder.mkdir()
    for number in range(_ACCOUNTS):
        cookie = {"name": "_U", "value": f"bench{number}", "domain": ".bing.com", "path": "/"}
        file = folder / f"bench{number}.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps([cookie]))


async def _logged(running: RunningProcess, words: str) -> bool:
    return running.logged(words)


async def start_emulator(processes: Processes) -> Emulator:
    """Start the emulator, without a limit on what an account may ask."""
    [port] = free_ports(1)
    settings = {"EMULATOR_HOST": "127.0.0.1", "EMULATOR_PORT": port, "EMULATOR_DAILY_QUOTA": 0}
    running = await processes.start_module("emulator", "emulator", settings)
    await running.until("its port", partial(accepts, port))
    return Emulator(running.pid, port)
