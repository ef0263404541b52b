"""Retry of calls while Redis is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from wire.errors import StoreUnavailableError

_PAUSE = 0.2
T = TypeVar("T")


async def retry_unavailable(call: Callable[[], Awaitable[T]], until: float) -> T:
    """Call, and repeat it while Redis is away, until `until` (loop time). StoreUnavailableError."""
    while True:
        try:
            return await call()
        except StoreUnavailableError:
            if asyncio.get_running_loop().time() >= until:
                raise
            await asyncio.sleep(_PAUSE)
