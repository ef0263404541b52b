"""What Redis tells of itself, from a real one."""

from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from bench import store

pytestmark = pytest.mark.anyio


def test_the_dearest_commands_come_first_and_the_cheapest_not_at_all() -> None:
    stats = {
        "cmdstat_ping": {"calls": 1, "usec": 1, "usec_per_call": 1.0},
        "cmdstat_evalsha": {"calls": 200, "usec": 8000, "usec_per_call": 40.0},
        "cmdstat_xadd": {"calls": 150, "usec": 300, "usec_per_call": 2.04},
    }
    found = store.dearest(stats, 100)
    assert list(found) == ["evalsha", "xadd"]
    assert found["evalsha"] == store.Command(2.0, 40.0)
    assert found["xadd"] == store.Command(1.5, 2.0)


async def test_what_was_run_since_the_reset_is_counted(valkey_url: str) -> None:
    port = urlsplit(valkey_url).port or 0
    await store.reset(port)
    held = await store.used_memory(port)
    async with Redis(port=port) as redis:
        await redis.set("bench", "x" * 100_000)
        for _ in range(20):
            await redis.eval("return redis.call('STRLEN', KEYS[1])", 1, "bench")
    found = await store.commands(port, 10)
    assert found["eval"].per_delta == 2.0
    assert await store.used_memory(port) - held > 90_000
    assert len(await store.round_trips(port, 3)) == 3
