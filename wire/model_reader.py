"""A picture of the table of models that all requests of a process share."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from wire.model_table import ModelTable

# Seconds for which a picture is used.
MAX_AGE = 2.0


class ModelReader:
    """Reads the table when a picture of it is too old: once, whoever waits for it.

    `read` is Ledger.read_models; `clock` returns seconds.
    """

    def __init__(self, read: Callable[[], Awaitable[ModelTable]], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._table = ModelTable()
        self._read_at = float("-inf")
        self._reading: asyncio.Task[ModelTable] | None = None

    async def read(self, max_age: float = MAX_AGE) -> ModelTable:
        """Return the table as it was at most `max_age` seconds ago. StoreUnavailableError."""
        if self._clock() - self._read_at <= max_age:
            return self._table
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

    async def _load(self, began: float) -> ModelTable:
        self._table = await self._read()
        self._read_at = began
        return self._table

    def _end(self, reading: "asyncio.Task[ModelTable]") -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # seen, also if all who waited have left
