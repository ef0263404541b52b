"""A whole worker on a store, for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tests.support.conditions import SOON, until
from tests.support.redis_client import redis_client
from tests.support.worker.harness import Client, HookedStore, pool_on, settings_with
from tests.support.worker.scripted_provider import Only, Pictures, ScriptedProvider
from wire import keys
from wire.reporter import REPORT_INTERVAL
from wire.sessions import Sessions
from wire.settings import LEASE_TTL
from worker.accounts.pool import REFRESH_INTERVAL
from worker.providers.registry import Upstream
from worker.status import status_reporter
from worker.turns.recent_events import LOST_SECONDS
from worker.worker import GRACE, Worker, new_worker_id


@asynccontextmanager
async def drained(worker: Worker) -> AsyncIterator[None]:
    """Run a worker during the body, and drain it at the end."""
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.drain()
        async with asyncio.timeout(SOON):
            await running


@asynccontextmanager
async def serving(
    store: HookedStore,
    provider: ScriptedProvider,
    pictures: Pictures | None = None,
    *,
    report_interval: float = REPORT_INTERVAL,
    grace: float = GRACE,
    refresh_every: float = REFRESH_INTERVAL,
    lost_seconds: float = LOST_SECONDS,
    **changed: object,
) -> AsyncIterator[Worker]:
    """Run a worker that is drained at the end."""
    settings = settings_with(**{"drain_timeout": 3.0, **changed})
    pool = pool_on(store, settings, worker=new_worker_id(), refresh_every=refresh_every)
    upstream = Upstream(settings, pool, Only(provider, pictures or Pictures()))
    make_reporter = partial(status_reporter, interval=report_interval)
    served = Worker(settings, store, upstream, make_reporter, grace=grace, lost_seconds=lost_seconds)
    async with drained(served):
        yield served


async def at_rest(client: Client) -> None:
    """Check that nothing is left in Redis of workers, leases and schedules."""
    commands = redis_client(client.store)
    assert await commands.zcard(keys.queued_key()) == 0
    assert await commands.exists(keys.ring_key()) == 0
    assert [key async for key in commands.scan_iter(match="*:owned:*")] == []

    async def no_heartbeat() -> bool:
        alive = await Sessions(client.store).list_live_workers()
        return alive == [key async for key in commands.scan_iter(match="*:worker:*")] == []

    # A heartbeat that was on its way when its worker left expires by itself.
    await until(no_heartbeat, "no heartbeat is left", limit=2 * LEASE_TTL)
