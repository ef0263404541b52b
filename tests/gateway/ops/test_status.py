"""What a gateway reports of itself for the console."""

from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from gateway.answering.timings import Timings
from tests.support.conditions import until
from tests.support.gateway.harness import RunningGateway, running, settings
from tests.support.redis_client import redis_client
from wire.overview import Overview
from wire.redis.store import Store

pytestmark = [pytest.mark.anyio, pytest.mark.both_stores]

ASK = {"style": "balanced", "question": "hi"}
OFTEN = Timings(report_every=0.02)


@pytest.fixture
async def gateway(store: Store) -> AsyncIterator[RunningGateway]:
    async with running(store, timings=OFTEN) as running_gateway:
        yield running_gateway


async def counted(store: Store) -> Counter[str]:
    seconds, _ = await redis_client(store).time()
    minute = int(seconds) // 60
    total: Counter[str] = Counter()
    for counts in (await Overview(store).read_counts(range(minute - 2, minute + 1))).values():
        total.update(counts)
    return total


async def becomes(store: Store, holds: Callable[[Counter[str]], bool]) -> None:
    async def met() -> bool:
        return holds(await counted(store))

    await until(met)


async def test_how_soon_text_came_is_counted_once(gateway: RunningGateway) -> None:
    for _ in range(3):
        await gateway.client.get("/api", params=ASK)
    await becomes(gateway.store, lambda counts: sum(counts[f"text:{bucket}"] for bucket in range(13)) == 3)
    await gateway.client.get("/api", params=ASK)
    await becomes(gateway.store, lambda counts: sum(counts[f"text:{bucket}"] for bucket in range(13)) == 4)


async def test_what_is_refused_is_counted_by_its_reason(store: Store) -> None:
    config = settings(client_limit=1, queue_timeout=0.3)
    async with running(store, config, worker=False, timings=OFTEN) as gateway:
        first, second = await gateway.client.get("/api", params=ASK), await gateway.client.get("/api", params=ASK)
        assert [first.status_code, second.status_code] == [503, 503]
        await becomes(store, lambda counts: counts["refused:queue.timeout"] == 2)


async def test_a_gateway_reports_itself_until_it_ends(store: Store, gateway: RunningGateway) -> None:
    overview = Overview(store)

    async def gateways() -> int:
        return len([process for process in await overview.read_processes() if process.kind == "gateway"])

    async def one_gateway() -> bool:
        return await gateways() == 1

    async def two_gateways() -> bool:
        return await gateways() == 2

    await until(one_gateway)
    async with running(store, settings(), worker=False):
        await until(two_gateways)
    await until(one_gateway)
