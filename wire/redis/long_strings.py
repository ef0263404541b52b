"""Strings of any length in Redis, read and written in chunks beside the scripts."""

from wire.redis.store import Store

# Bytes of one command: much larger ones would exceed the timeouts of a slow line.
CHUNK = 512 * 1024


async def write_string(store: Store, key: str, content: bytes, ttl: int, *, new: bool = False) -> bool:
    """Write a string that lives for `ttl` seconds, unless it must be `new` and isn't; return whether it was written.

    StoreUnavailableError.
    """
    if await store.transfer("SET", key, content[:CHUNK], "EX", ttl, *(["NX"] if new else [])) is None:
        return False
    for offset in range(CHUNK, len(content), CHUNK):
        await store.transfer("SETRANGE", key, offset, content[offset : offset + CHUNK])
        # Had Redis lost the key meanwhile, it would stay for good.
        await store.transfer("EXPIRE", key, ttl)
    return True


async def read_string(store: Store, key: str) -> bytes:
    """Return a string, empty if there is none. StoreUnavailableError."""
    chunks: list[bytes] = []
    while not chunks or len(chunks[-1]) == CHUNK:
        offset = len(chunks) * CHUNK
        chunks.append(await store.transfer("GETRANGE", key, offset, offset + CHUNK - 1))
    return b"".join(chunks)
