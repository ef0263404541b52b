"""Somebody who gives accounts back, as an operator would: a day's pause is longer than any test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.faults.breakable_system import BreakableSystem
from wire.errors import StoreUnavailableError
from wire.ledger import Ledger
from wire.redis.store import Store

_EVERY = 0.3


async def reset_accounts(system: BreakableSystem) -> None:
    """Make all accounts ready. StoreUnavailableError."""
    store = Store(system.url)
    try:
        await _reset(Ledger(store))
    finally:
        await store.close()


async def _reset(ledger: Ledger) -> None:
    for status in await ledger.read_statuses():
        if status.state != "ready":
            await ledger.execute_order(status.name, "reset")


@asynccontextmanager
async def ready_accounts(system: BreakableSystem) -> AsyncIterator[None]:
    """Give back during the body whatever is taken away."""
    store = Store(system.url)
    resetting = asyncio.create_task(_reset_all_the_time(Ledger(store)))
    try:
        yield
    finally:
        resetting.cancel()
        await asyncio.gather(resetting, return_exceptions=True)
        await store.close()


async def _reset_all_the_time(ledger: Ledger) -> None:
    while True:
        with suppress(StoreUnavailableError):
            await _reset(ledger)
        await asyncio.sleep(_EVERY)
