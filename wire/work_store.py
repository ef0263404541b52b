"""The work of jobs in Redis: each a string of its own, beside the scripts, which move and remember only its job.

Short work is an exception: it is inside its job, which spares two calls. Other work is written before its job is
submitted and lives for a minute, unless the job is accepted; it is gone when that ends.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from wire import keys
from wire.errors import StoreFullError
from wire.redis.long_strings import read_string, write_once
from wire.redis.store import Store

# The most bytes of work inside its job.
SHORT_WORK = 16 * 1024
# For how many seconds work is kept whose job was not accepted, or not yet.
UNACCEPTED_TTL = 60
# For how many seconds a job waits until others have been accepted or refused.
_LONGEST_WAIT = 10.0


@dataclass(frozen=True)
class WorkStore:
    """The work of all jobs, as bytes. All may raise StoreUnavailableError."""

    store: Store
    _decided: asyncio.Event = field(default_factory=asyncio.Event, init=False, compare=False)
    _unaccepted: dict[str, int] = field(default_factory=dict, init=False, compare=False)

    @asynccontextmanager
    async def submitting(self, answer: str, size: int, limit: int) -> AsyncIterator[None]:
        """Wait until a job, which the body submits, and others have at most `limit` bytes together, or it is alone.

        For what is written at once takes memory before any of it can be refused. StoreFullError after a while.
        """
        try:
            async with asyncio.timeout(_LONGEST_WAIT):
                while self._unaccepted and sum(self._unaccepted.values()) + size > limit:
                    self._decided.clear()
                    await self._decided.wait()
        except TimeoutError:
            raise StoreFullError from None
        self._unaccepted[answer] = size
        try:
            yield
        finally:
            del self._unaccepted[answer]
            self._decided.set()

    async def write(self, answer: str, work: bytes) -> None:
        """Write the work of a job that is about to be submitted. A repeat changes nothing."""
        await write_once(self.store, keys.work_key(answer), work, UNACCEPTED_TTL)

    async def delete(self, answer: str) -> None:
        """Delete the work of a job that is not accepted."""
        await self.store.transfer("DEL", keys.work_key(answer))

    async def read(self, answer: str) -> bytes:
        """Return the work of a job; nothing if the job has ended, or Redis lost it."""
        return await read_string(self.store, keys.work_key(answer))
