"""A whole worker on a store, for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.conditions import SOON
from tests.support.worker.harness import SHORT_READ, HookedStore, pool_on, settings_with
from tests.support.worker.scripted_provider import Only, Pictures, ScriptedProvider
from wire.reporter import REPORT_INTERVAL
from worker.providers.registry import Upstream
from worker.worker import LAST_WORDS, Worker, new_worker_id


@asynccontextmanager
async def serving(
    store: HookedStore,
    provider: ScriptedProvider,
    pictures: Pictures | None = None,
    *,
    report_interval: float = REPORT_INTERVAL,
    last_words: float = LAST_WORDS,
    **changed: object,
) -> AsyncIterator[Worker]:
    """A worker that serves, and is drained at the end; with short reads, since each ends before it is drained."""
    settings = settings_with(**{"drain_timeout": 3.0, **changed})
    pool = pool_on(store, settings, worker=new_worker_id())
    upstream = Upstream(settings, pool, Only(provider, pictures or Pictures()))
    served = Worker(settings, store, upstream, block=SHORT_READ, report_interval=report_interval, last_words=last_words)
    running = asyncio.create_task(served.run())
    try:
        yield served
    finally:
        served.drain()
        async with asyncio.timeout(SOON):
            await running
