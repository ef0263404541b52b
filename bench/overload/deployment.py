"""The processes that are overloaded: Valkey as it is deployed, gateways, and one worker with an upstream inside it."""

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import proc
from bench.processes import Processes, Started, free_ports, says_ready
from bench.store import used_memory
from bench.systems import start_redis, write_accounts

GATEWAYS = 1
_LEASE_TTL = 15
# Short, so that what ended is forgotten within a run, and memory shows what grows for another reason.
_ANSWER_TTL = 5
# Longer than any answer takes here: what a session has is kept no longer, and a running answer is a part of it.
_SESSION_TTL = 120
# How many questions wait before others are refused.
QUEUE = 50


@dataclass(frozen=True)
class Deployment:
    """Where to ask, and what is measured."""

    ports: list[int]
    gateways: list[Started]
    worker: Started
    redis: Started
    redis_port: int

    @property
    def pids(self) -> dict[str, list[int]]:
        """The processes by their role."""
        return {
            "gateway": [started.pid for started in self.gateways],
            "worker": [self.worker.pid],
            "redis": [self.redis.pid],
        }

    async def memory_kb(self) -> dict[str, int]:
        """PSS of gateways and worker, and what Redis says it uses, in kB."""
        roles = {role: sum(map(proc.pss_kb, pids)) for role, pids in self.pids.items() if role != "redis"}
        return roles | {"redis_used": await used_memory(self.redis_port) // 1024}


async def start(processes: Processes, folder: Path, slots: int) -> Deployment:
    """All of them, ready to answer `slots` questions at once."""
    redis_port, *ports = free_ports(1 + GATEWAYS)
    redis = await start_redis(processes, folder, "redis", redis_port)
    write_accounts(folder / "cookies")
    shared = {"REDIS_URL": f"redis://127.0.0.1:{redis_port}/0", "LOG_FORMAT": "json", "DRAIN_TIMEOUT": 1}
    shared |= {"LEASE_TTL": _LEASE_TTL, "ANSWER_TTL": _ANSWER_TTL, "SESSION_TTL": _SESSION_TTL}
    settings = shared | {"COOKIES_DIR": folder / "cookies", "PROVIDER": "bench.overload.upstream:Upstream"}
    worker = await processes.module("worker", "worker", settings | {"WORKER_SLOTS": slots, "ACCOUNT_TURNS": 0})
    limits = {"QUEUE_LIMIT": QUEUE, "CLIENT_LIMIT": 1_000_000}
    gateways = [
        await processes.module(f"gateway{port}", "gateway", shared | limits | {"GATEWAY_PORT": port}) for port in ports
    ]

    async def worker_ready() -> bool:
        return worker.says("worker ready")

    await worker.until("it says so in its log", worker_ready)
    for started, port in zip(gateways, ports, strict=True):
        await started.until("GET /readyz", partial(says_ready, port))
    # After a start of Redis no question is taken before all workers had the time to say what they hold.
    await asyncio.sleep(_LEASE_TTL / 2)
    return Deployment(ports, gateways, worker, redis, redis_port)
