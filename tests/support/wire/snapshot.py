"""A Redis that restarts with an earlier state of its data, as one does that lost its log's last second."""

from typing import Any

from tests.support.redis_client import redis_client
from wire import keys
from wire.redis.store import Store

# For how many ms Redis was away: too long for its data to have been handed over, and no gap in the beats of a worker.
_AWAY_MS = 6000

# Each key's value and for how many ms it is kept (0: for ever).
Remembered = dict[bytes, tuple[bytes, int]]


async def remember(store: Store) -> Remembered:
    """All data, as they are now."""
    redis: Any = redis_client(store)
    return {name: (await redis.dump(name), max(0, await redis.pttl(name))) for name in await redis.keys("*")}


async def forget_since(store: Store, remembered: Remembered) -> None:
    """Restart with what was remembered; nothing else is left."""
    redis: Any = redis_client(store)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.flushall()
        for name, (data, ttl) in remembered.items():
            pipe.restore(name, ttl, data)
        pipe.hset(keys.run_key(), mapping={"id": "the run before", "at": 0})
        for name in remembered:
            if name.startswith(keys.worker_key("").encode()):
                pipe.hincrby(name, "last", -_AWAY_MS)
        await pipe.execute()
