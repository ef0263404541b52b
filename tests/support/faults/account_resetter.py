"""Somebody who gives accounts back, as an operator would: a day's pause is longer than any test."""

import asyncio
import contextlib
import time

from tests.support.faults.cluster import Cluster
from wire.errors import StoreUnavailableError
from wire.ledger import Ledger
from wire.redis.store import Store

_EVERY = 0.3


async def reset_accounts(cluster: Cluster) -> None:
    """Make all accounts ready. StoreUnavailableError."""
    store = Store(f"redis://127.0.0.1:{cluster.redis_port}/0")
    try:
        ledger = Ledger(store)
        for status in await ledger.read_statuses():
            if status.state != "ready":
                await ledger.execute_order(status.name, "reset")
    finally:
        await store.close()


async def keep_accounts_ready(cluster: Cluster, seconds: float) -> None:
    """Give back for so long whatever was taken away."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(StoreUnavailableError):
            await reset_accounts(cluster)
        await asyncio.sleep(_EVERY)
