"""The results of calls in Redis: each a string of its own for a minute, which is never published.

Its bytes count for the client of its call, as questions and answers do.
"""

from dataclasses import dataclass

from wire import keys
from wire.redis.long_strings import read_string, write_string
from wire.redis.store import Store

# The most bytes of a result, and for how many seconds it is kept.
MAX_RESULT = 8 * 1024 * 1024
RESULT_TTL = 60


@dataclass(frozen=True)
class ResultStore:
    """The results of all calls, as bytes. All may raise StoreUnavailableError."""

    store: Store

    async def admit(self, answer: str, size: int, allowed: int) -> bool:
        """Count a result that is to be written; return False if more than `allowed` bytes would be kept with it."""
        key, prefix = keys.job_key(answer), keys.prefix(keys.shard_of_answer(answer))
        return bool(await self.store.run("count_result", key, prefix, answer, size, RESULT_TTL * 1000, allowed))

    async def write(self, answer: str, result: bytes) -> None:
        """Write the result of a call that is about to end. A repeat writes the same."""
        await write_string(self.store, keys.result_key(answer), result, RESULT_TTL)

    async def size(self, answer: str) -> int:
        """Return how many bytes the result of a call has; 0 if it is no longer kept."""
        size: int = await self.store.execute("STRLEN", keys.result_key(answer))
        return size

    async def read(self, answer: str) -> bytes:
        """Return the result of a call; nothing if it is no longer kept."""
        return await read_string(self.store, keys.result_key(answer))

    async def delete(self, answer: str) -> None:
        """Delete the result of a call that nobody asks for again."""
        await self.store.run("drop_result", keys.result_key(answer), keys.prefix(keys.shard_of_answer(answer)), answer)
