"""A worker's bell, as scripts ring it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from tests.support.conditions import until
from tests.support.redis_client import redis_client
from tests.support.worker.harness import HookedStore
from tests.support.worker.running_dispatcher import NEVER
from wire.keys import bell_channel
from wire.redis.subscriptions import SILENCE, Subscriptions
from worker.bell import Bell

pytestmark = [pytest.mark.anyio, pytest.mark.both_stores]


@asynccontextmanager
async def hearing(
    store: HookedStore, rung: Counter[str], silence: float = NEVER
) -> AsyncIterator[tuple[Subscriptions, asyncio.Task[None]]]:
    """Count in `rung` what the bell calls, `work` once for the subscription's beginning."""
    count = partial(partial, lambda what: rung.update([what]))
    async with Subscriptions(store, silence=silence) as subscriptions:
        listening = asyncio.create_task(Bell(subscriptions, "w", count("work"), count("stop")).run())
        await until(lambda: rung["work"] >= 1, "the bell is subscribed to")
        yield subscriptions, listening
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def ring(store: HookedStore, message: bytes, worker: str = "w") -> None:
    await redis_client(store).publish(bell_channel(worker), message)


async def test_what_may_have_rung_before_it_listened_counts_as_work(store: HookedStore) -> None:
    rung: Counter[str] = Counter()
    async with hearing(store, rung):
        assert rung == {"work": 1}


async def test_work_and_stops_ring_apart(store: HookedStore) -> None:
    rung: Counter[str] = Counter()
    async with hearing(store, rung):
        await ring(store, b"1 ")
        await until(lambda: rung == {"work": 1, "stop": 1})
        await ring(store, b"0 ")
        await until(lambda: rung == {"work": 2, "stop": 1})


async def test_another_workers_bell_is_not_heard(store: HookedStore) -> None:
    rung: Counter[str] = Counter()
    async with hearing(store, rung):
        await ring(store, b"1 ", worker="another")
        await ring(store, b"0 ")
        await until(lambda: rung["work"] == 2)
        assert rung["stop"] == 0


async def test_a_long_silence_counts_as_work(store: HookedStore) -> None:
    rung: Counter[str] = Counter()
    async with hearing(store, rung, silence=SILENCE / 10):
        await until(lambda: rung["work"] >= 3)
    assert rung["stop"] == 0


async def test_a_bell_that_is_not_heard_any_more_is_not_subscribed_to(store: HookedStore) -> None:
    async with hearing(store, Counter()) as (subscriptions, listening):
        assert subscriptions.channel_count == 1
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert subscriptions.channel_count == 0
