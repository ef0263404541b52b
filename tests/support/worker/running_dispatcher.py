"""A dispatcher on a store without the rest of its worker, which hears only what a test lets it hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.conditions import until
from tests.support.wire.scenario import Scenario
from tests.support.worker.harness import HookedStore, pool_on, settings_with
from tests.support.worker.scripted_provider import Only, Pictures, ScriptedProvider
from wire.redis.subscriptions import Subscriptions
from wire.sessions import Sessions
from worker.bell import Bell
from worker.dispatcher import Dispatcher
from worker.providers.registry import Upstream
from worker.worker import new_worker_id

# Seconds, longer than any test.
NEVER = 6 * 3600.0


@dataclass
class Rings:
    """Rings the dispatcher's bell, and counts how often it rang."""

    dispatcher: Dispatcher
    heard: int = field(default=0)

    def ring(self) -> None:
        self.heard += 1
        self.dispatcher.look()


@asynccontextmanager
async def dispatching(
    store: HookedStore, provider: ScriptedProvider, *, bell: bool, beats: bool, **changed: object
) -> AsyncIterator[Rings]:
    """Run a dispatcher that has beaten once and looked once; `bell` and `beats` are what it hears after that."""
    settings = settings_with(**{"lease_ttl": 60.0, **changed})
    pool = pool_on(store, settings, worker=new_worker_id())
    upstream = Upstream(settings, pool, Only(provider, Pictures()))
    dispatcher = Dispatcher(upstream, Sessions(store, settings, settings.lease_ttl))
    rings = Rings(dispatcher)
    await Scenario(store).settle()
    await pool.announce()
    await dispatcher.heartbeat.beat()
    # Without a pause that counts as a gap, in which the bell may have rung unheard.
    async with Subscriptions(store, silence=NEVER) as subscriptions, asyncio.TaskGroup() as tasks:
        background = []
        if bell:
            ringing = Bell(subscriptions, pool.worker, rings.ring, dispatcher.heartbeat.hurry)
            background.append(tasks.create_task(ringing.run()))
            await until(lambda: rings.heard == 1, "the bell is subscribed to")
        if beats:
            background.append(tasks.create_task(dispatcher.heartbeat.run()))
        taking = tasks.create_task(dispatcher.run())
        await until(lambda: "take" in store.calls, "it has looked")
        yield rings
        dispatcher.drain()
        await taking
        await dispatcher.close(1.0)
        for task in background:
            task.cancel()
