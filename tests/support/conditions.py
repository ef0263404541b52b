"""Waiting for a condition instead of a time."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

# Seconds within which anything that a test waits for must happen.
SOON = 15.0
_PAUSE = 0.01


async def until(condition: Callable[[], Any], what: str = "the condition", *, limit: float = SOON) -> Any:
    """Return the first true value of a condition, which may be a coroutine's.

    Raises AssertionError, with `what` was awaited, after `limit` seconds.
    """
    try:
        # Neither a task nor anything else that a condition about this process would count.
        async with asyncio.timeout(limit):
            while True:
                value = condition()
                if inspect.isawaitable(value):
                    value = await value
                if value:
                    return value
                await asyncio.sleep(_PAUSE)
    except TimeoutError as error:
        raise AssertionError(f"not within {limit} s: {what}") from error
