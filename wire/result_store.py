"""The results of calls in Redis: each a string of its own for a minute, which is never published and counts nowhere."""

from dataclasses import dataclass

from wire import keys
from wire.redis.store import Store
from wire.work_store import CHUNK

# The most bytes of a result, and for how many seconds it is kept.
MAX_RESULT = 8 * 1024 * 1024
RESULT_TTL = 60


@dataclass(frozen=True)
class ResultStore:
    """The results of all calls, as bytes. All may raise StoreUnavailableError."""

    store: Store

    async def write(self, answer: str, result: bytes) -> None:
        """Write the result of a call that is about to end. A repeat writes the same."""
        key, transfer = keys.result_key(answer), self.store.transfer
        await transfer("SET", key, result[:CHUNK], "EX", RESULT_TTL)
        for offset in range(CHUNK, len(result), CHUNK):
            await transfer("SETRANGE", key, offset, result[offset : offset + CHUNK])
        # Again: had Redis lost the key meanwhile, it would stay for good.
        await transfer("EXPIRE", key, RESULT_TTL)

    async def read(self, answer: str) -> bytes:
        """Return the result of a call; nothing if it is no longer kept."""
        key = keys.result_key(answer)
        chunks: list[bytes] = []
        while True:
            offset = len(chunks) * CHUNK
            chunk: bytes = await self.store.transfer("GETRANGE", key, offset, offset + CHUNK - 1)
            chunks.append(chunk)
            if len(chunk) < CHUNK:
                return b"".join(chunks)

    async def delete(self, answer: str) -> None:
        """Delete the result of a call that nobody asks for again."""
        await self.store.transfer("DEL", keys.result_key(answer))
