"""The load client against a real gateway."""

import pytest

from bench.overload.client import run
from bench.overload.plan import Group, OverloadPlan
from tests.support.gateway.harness import running
from wire.messages import Delta, Final
from wire.redis.store import Store

pytestmark = pytest.mark.anyio

# Due long after anything here is asked for.
PIECE = " t=9234567890123456789"


async def test_every_reader_is_judged_and_a_slow_one_too() -> None:
    store = Store("memory://")
    groups = [Group("many", 2, 0, 1, 1, readers=3), Group("slow", 1, 0, 1, 2, bytes_per_s=100_000)]
    async with running(store) as gateway:
        for group in groups:
            question = f"!deltas={group.deltas} !rate={group.rate:g} !size={group.size}"
            gateway.worker.scripts[question] = [Delta(PIECE), Final(PIECE)]
        outcomes = await run(OverloadPlan([gateway.port], groups, 0, 10, 10))
    await store.close()
    assert outcomes["many"].asked == outcomes["many"].complete == 8
    assert outcomes["slow"].asked == outcomes["slow"].complete == 1
    assert outcomes["many"].deltas_per_event == 1
    assert sum(second.deltas for second in outcomes["many"].seconds) == 8
    assert len(gateway.worker.asked) == 3


async def test_what_is_not_over_in_time_is_unfinished() -> None:
    store = Store("memory://")
    async with running(store, worker=False) as gateway:
        outcomes = await run(OverloadPlan([gateway.port], [Group("none", 2, 0, 1, 1)], 0, 1, 0.5))
    await store.close()
    assert outcomes["none"].asked == outcomes["none"].unfinished == 2
    assert outcomes["none"].delay_ms is None


async def test_where_nobody_listens_nothing_is_answered() -> None:
    outcomes = await run(OverloadPlan([1], [Group("none", 1, 0, 1, 1, readers=2)], 0, 1, 5))
    assert outcomes["none"].asked == outcomes["none"].unfinished == 1
