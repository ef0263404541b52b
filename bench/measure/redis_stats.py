"""The statistics of a Redis: its commands, its memory, and a round trip to it."""

import time
from typing import Any

import msgspec
from redis.asyncio import Redis

# Commands that take less than this share of the most expensive one's time are left out.
_MIN_SHARE = 0.02
_HOST = "127.0.0.1"


class CommandStats(msgspec.Struct, frozen=True):
    """How often a command came for each piece of an answer, and the µs that one took inside Redis."""

    per_delta: float
    us: float


async def reset_stats(port: int) -> None:
    """Begin to count commands anew."""
    async with _client(port) as redis:
        await redis.config_resetstat()


async def command_stats(port: int, deltas: int) -> dict[str, CommandStats]:
    """Return the commands that cost something since `reset_stats`, the most expensive first."""
    async with _client(port) as redis:
        return most_expensive(await redis.info("commandstats"), deltas)


def most_expensive(stats: dict[str, Any], deltas: int) -> dict[str, CommandStats]:
    """Read INFO commandstats. A script's time contains that of its commands, which count by themselves too."""
    commands = {name.removeprefix("cmdstat_"): counts for name, counts in stats.items()}
    least = _MIN_SHARE * max((counts["usec"] for counts in commands.values()), default=0)
    ordered = sorted(commands.items(), key=lambda item: -item[1]["usec"])
    return {
        name: CommandStats(round(counts["calls"] / deltas, 3), round(counts["usec_per_call"], 1))
        for name, counts in ordered
        if counts["usec"] >= least
    }


async def used_memory(port: int) -> int:
    """Return the bytes that its data take."""
    async with _client(port) as redis:
        return int((await redis.info("memory"))["used_memory"])


async def round_trips(port: int, times: int) -> list[int]:
    """Return how many nanoseconds each PING took through the client that gateways and workers have."""
    async with _client(port) as redis:
        await redis.ping()
        durations = []
        for _ in range(times):
            began = time.perf_counter_ns()
            await redis.ping()
            durations.append(time.perf_counter_ns() - began)
        return durations


def _client(port: int) -> Any:
    return Redis(host=_HOST, port=port, protocol=2)
