"""The path that is overloaded: Valkey as it is deployed, a gateway, and one worker with an upstream inside it."""

from pathlib import Path

from bench.measure.redis_stats import used_memory
from bench.measure.rounds import read_memory
from bench.systems.path import LEASE_TTL, PathSettings, System, start_path, wait_for_workers
from bench.systems.processes import Processes

GATEWAYS = 1
# How many questions wait before others are refused.
QUEUE = 50
# Short, so that an answer that has ended is soon forgotten, and memory shows what grows for another reason.
_ANSWER_TTL = 5
# Longer than any answer takes here: a session is kept no longer, and a running answer is a part of it.
_SESSION_TTL = 120


async def start(processes: Processes, folder: Path, slots: int, lease_ttl: int = LEASE_TTL) -> System:
    """Start all of them, ready to answer `slots` questions at once."""
    settings = PathSettings(
        shared={"LEASE_TTL": lease_ttl, "ANSWER_TTL": _ANSWER_TTL, "SESSION_TTL": _SESSION_TTL},
        gateway={"QUEUE_LIMIT": QUEUE, "CLIENT_LIMIT": 1_000_000, "CONNECTION_LIMIT": 1_000_000, "STORE_BYTES": 2**40},
        worker={"LEASE_TTL": lease_ttl, "PROVIDER": "bench.overload.upstream:Upstream"},
    )
    system = await start_path(processes, folder, "path", slots, GATEWAYS, settings)
    await wait_for_workers(lease_ttl)
    return system


async def memory_kb(system: System) -> dict[str, int]:
    """Return the PSS of gateways and worker, and the memory that Redis reports, in kB."""
    roles = {role: pids for role, pids in system.roles.items() if role != "redis"}
    return read_memory(roles) | {"redis_used": await used_memory(system.redis) // 1024}
