"""A read that all of a process share, and whose result serves for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

# Seconds for which a result is used.
MAX_AGE = 2.0
T = TypeVar("T")


class SharedRead(Generic[T]):
    """Reads when the last result is too old: once, whoever waits for it. `clock` returns seconds."""

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._result: T | None = None
        self._read_at = float("-inf")
        self._reading: asyncio.Task[T] | None = None

    async def read(self, max_age: float = MAX_AGE) -> T:
        """Return what was read at most `max_age` seconds ago. Raises what the read does."""
        if self._result is not None and self._clock() - self._read_at <= max_age:
            return self._result
        if self._reading is None:
            self._reading = asyncio.create_task(self._load(self._clock()))
            self._reading.add_done_callback(self._end)
        # Whoever leaves ends it for nobody else.
        return await asyncio.shield(self._reading)

    async def close(self) -> None:
        """End a read that is still running."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _load(self, began: float) -> T:
        self._result = result = await self._read()
        self._read_at = began
        return result

    def _end(self, reading: "asyncio.Task[T]") -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # seen, also if all who waited have left
