"""The work of jobs in Redis: each a string of its own, beside the scripts, which move and remember only its job.

Short work is an exception: it is inside its job, which spares two calls. Other work is written before its job is
submitted and lives for a minute, unless the job is accepted; it is gone when that ends.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from wire import keys
from wire.errors import StoreFullError
from wire.fair_room import FairRoom
from wire.redis.long_strings import CHUNK, read_string, write_once
from wire.redis.store import Store

# The most bytes of work inside its job.
SHORT_WORK = 16 * 1024
# For how many seconds work is kept whose job was not accepted, or not yet.
UNACCEPTED_TTL = 60
# Up to so many bytes work is small: one write. 1 / _SMALL_PART of what may be written at once is for such work.
SMALL_WORK = CHUNK
_SMALL_PART = 4
# For how many seconds a job waits until others have been accepted or refused.
_LONGEST_WAIT = 10.0


@dataclass(frozen=True)
class WorkStore:
    """The work of all jobs, as bytes. All may raise StoreUnavailableError."""

    store: Store
    _large: FairRoom = field(default_factory=FairRoom, init=False, compare=False)
    _small: FairRoom = field(default_factory=FairRoom, init=False, compare=False)

    @asynccontextmanager
    async def submitting(self, client: str, size: int, limit: int) -> AsyncIterator[None]:
        """Wait until a client's job, which the body submits, and others have at most `limit` bytes together.

        For what is written at once takes memory before any of it can be refused. A part of it is for small ones, which
        wait for no large ones. One that exceeds all is written while no other of its kind is; a client leaves as much
        as it takes, and waits behind its own. StoreFullError after a while.
        """
        small = limit // _SMALL_PART
        room, most = (self._small, small) if size <= SMALL_WORK else (self._large, limit - small)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(_LONGEST_WAIT):
                    await stack.enter_async_context(room.take(client, size, most))
            except TimeoutError:
                raise StoreFullError from None
            yield

    async def write(self, answer: str, work: bytes) -> None:
        """Write the work of a job that is about to be submitted. A repeat changes nothing."""
        await write_once(self.store, keys.work_key(answer), work, UNACCEPTED_TTL)

    async def delete(self, answer: str) -> None:
        """Delete the work of a job that is not accepted."""
        await self.store.transfer("DEL", keys.work_key(answer))

    async def read(self, answer: str) -> bytes:
        """Return the work of a job; nothing if the job has ended, or Redis lost it."""
        return await read_string(self.store, keys.work_key(answer))
