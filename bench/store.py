"""What a Redis tells of itself."""

import time
from typing import Any

import msgspec
from redis.asyncio import Redis

# Commands that take less than this share of the time aren't told of.
_LEAST_SHARE = 0.01
_HOST = "127.0.0.1"


class Command(msgspec.Struct, frozen=True):
    """How often a command came for each piece of an answer, and the µs that one took inside Redis."""

    per_delta: float
    us: float


async def reset(port: int) -> None:
    """Count commands anew."""
    async with _client(port) as redis:
        await redis.config_resetstat()


async def commands(port: int, deltas: int) -> dict[str, Command]:
    """The commands that cost something since `reset`, the dearest first."""
    async with _client(port) as redis:
        return dearest(await redis.info("commandstats"), deltas)


def dearest(stats: dict[str, Any], deltas: int) -> dict[str, Command]:
    """From INFO commandstats. A script's time holds that of the commands it calls, which count by themselves too."""
    spent = {name.removeprefix("cmdstat_"): found for name, found in stats.items()}
    least = _LEAST_SHARE * max((found["usec"] for found in spent.values()), default=0)
    ordered = sorted(spent.items(), key=lambda item: -item[1]["usec"])
    return {
        name: Command(round(found["calls"] / deltas, 3), round(found["usec_per_call"], 1))
        for name, found in ordered
        if found["usec"] >= least
    }


async def used_memory(port: int) -> int:
    """The bytes that its data take."""
    async with _client(port) as redis:
        return int((await redis.info("memory"))["used_memory"])


async def round_trips(port: int, times: int) -> list[int]:
    """How many nanoseconds a PING takes, each time, through the client that gateways and workers have."""
    async with _client(port) as redis:
        await redis.ping()
        found = []
        for _ in range(times):
            began = time.perf_counter_ns()
            await redis.ping()
            found.append(time.perf_counter_ns() - began)
        return found


def _client(port: int) -> Any:
    return Redis(host=_HOST, port=port, protocol=2)
