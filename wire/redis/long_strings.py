"""Strings of any length in Redis, read and written in chunks beside the scripts."""

from collections.abc import Awaitable, Callable

from wire.redis.store import Store

# Awaited by who reads what a few bytes of a request may refer to: with the bytes that are read, and before many are.
# Returns once they may be.
Admit = Callable[[int], Awaitable[None]]
# Bytes of one command: much larger ones would exceed the timeouts of a slow line.
CHUNK = 512 * 1024
# Begins a string with its last byte, so that Redis makes as much room as it needs: one that grows from its beginning
# takes up to twice its size, such as 1.2 MB for 0.6 MB. It expires from its beginning on.
_MAKE_ROOM = """
if ARGV[4] and redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[1])
redis.call('SETRANGE', KEYS[1], ARGV[1], ARGV[2])
return redis.call('EXPIRE', KEYS[1], ARGV[3])
"""


async def write_string(store: Store, key: str, content: bytes, ttl: int, *, new: bool = False) -> bool:
    """Write a string that lives for `ttl` seconds, unless it must be `new` and isn't; return whether it was written.

    StoreUnavailableError.
    """
    if not await _begin(store, key, content, ttl, new=new):
        return False
    await _fill(store, key, content, ttl)
    return True


async def write_once(store: Store, key: str, content: bytes, ttl: int) -> None:
    """Write a string that lives for `ttl` seconds. A repeat changes nothing. StoreUnavailableError."""
    await _begin(store, key, content, ttl, new=True)
    await _fill(store, key, content, ttl)


async def _begin(store: Store, key: str, content: bytes, ttl: int, *, new: bool) -> bool:
    """Write all of a short string, and the room for a long one."""
    only_new = ["NX"] if new else []
    if len(content) <= CHUNK:
        return await store.transfer("SET", key, content, "EX", ttl, *only_new) is not None
    return bool(await store.transfer("EVAL", _MAKE_ROOM, 1, key, len(content) - 1, content[-1:], ttl, *only_new))


async def _fill(store: Store, key: str, content: bytes, ttl: int) -> None:
    for offset in range(0, len(content), CHUNK) if len(content) > CHUNK else ():
        await store.transfer("SETRANGE", key, offset, content[offset : offset + CHUNK])
        # Had Redis lost the key meanwhile, it would stay for good.
        await store.transfer("EXPIRE", key, ttl, "NX")


async def read_head(store: Store, key: str, size: int) -> bytes:
    """Return the first `size` bytes of a string, or all if there are fewer. StoreUnavailableError."""
    head: bytes = await store.transfer("GETRANGE", key, 0, size - 1)
    return head


async def measure_string(store: Store, key: str) -> int:
    """Return how many bytes a string has; 0 if there is none. StoreUnavailableError."""
    size: int = await store.transfer("STRLEN", key)
    return size


async def read_string(store: Store, key: str) -> bytes:
    """Return a string, empty if there is none. StoreUnavailableError."""
    chunks: list[bytes] = []
    while not chunks or len(chunks[-1]) == CHUNK:
        offset = len(chunks) * CHUNK
        chunks.append(await store.transfer("GETRANGE", key, offset, offset + CHUNK - 1))
    return b"".join(chunks)
