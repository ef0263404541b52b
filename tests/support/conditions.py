"""Waiting for a condition instead of a time."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

# Seconds within which anything that a test waits for must happen.
SOON = 60.0
_PAUSE = 0.01


async def until(condition: Callable[[], Any], what: str = "the condition", *, limit: float = SOON) -> Any:
    """Return the first true value of a condition, which may be a coroutine's.

    Raises AssertionError, with `what` was awaited, after `limit` seconds.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    while loop.time() < deadline:
        value = condition()
        if inspect.isawaitable(value):
            # No task of its own: tests count those that there are.
            async with asyncio.timeout_at(max(deadline, loop.time() + _PAUSE)):
                value = await value
        if value:
            return value
        await asyncio.sleep(_PAUSE)
    raise AssertionError(f"not within {limit} s: {what}")
