"""The statistics of a real Redis."""

from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from bench.measure import redis_stats

pytestmark = pytest.mark.anyio


def test_the_dearest_commands_come_first_and_the_cheapest_not_at_all() -> None:
    stats = {
        "cmdstat_ping": {"calls": 1, "usec": 1, "usec_per_call": 1.0},
        "cmdstat_evalsha": {"calls": 200, "usec": 8000, "usec_per_call": 40.0},
        "cmdstat_xadd": {"calls": 150, "usec": 300, "usec_per_call": 2.04},
    }
    stats_by_name = redis_stats.most_expensive(stats, 100)
    assert list(stats_by_name) == ["evalsha", "xadd"]
    assert stats_by_name["evalsha"] == redis_stats.CommandStats(2.0, 40.0)
    assert stats_by_name["xadd"] == redis_stats.CommandStats(1.5, 2.0)


async def test_what_was_run_since_the_reset_is_counted(valkey_url: str) -> None:
    port = urlsplit(valkey_url).port or 0
    await redis_stats.reset_stats(port)
    held = await redis_stats.used_memory(port)
    async with Redis(port=port) as redis:
        await redis.set("bench", "x" * 100_000)
        for _ in range(20):
            await redis.eval("return redis.call('STRLEN', KEYS[1])", 1, "bench")
    stats_by_name = await redis_stats.command_stats(port, 10)
    assert stats_by_name["eval"].per_delta == 2.0
    assert await redis_stats.used_memory(port) - held > 90_000
    assert len(await redis_stats.round_trips(port, 3)) == 3
