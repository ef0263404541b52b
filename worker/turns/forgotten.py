"""Calls that meet a Redis which has lost what this worker holds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from wire.errors import LeaseLostError, StateLostError, StoreUnavailableError
from wire.redis.retry import retry_unavailable

# Reports to Redis all that the worker holds, with the events that Redis has lost.
Report = Callable[[], Awaitable[None]]
T = TypeVar("T")


async def retry_forgotten(call: Callable[[], Awaitable[T]], report: Report, until: float) -> T:
    """Call, and repeat it while Redis is away; and once more after a report, where Redis has lost something.

    Until `until` (loop time). Raises what the call does, StoreUnavailableError where nothing could be reported.
    """
    try:
        return await retry_unavailable(call, until)
    except (LeaseLostError, StateLostError):
        try:
            async with asyncio.timeout_at(until):
                await report()
        except TimeoutError:
            raise StoreUnavailableError("no report in time") from None
    return await retry_unavailable(call, until)
