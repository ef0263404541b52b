"""The queue's length and age, and the number of live workers with an account, for metrics."""

from dataclasses import dataclass
from typing import Any

from wire import keys
from wire.redis.errors import translate_errors
from wire.redis.store import Store
from wire.sessions import Sessions


@dataclass(frozen=True)
class QueueStats:
    """The number of waiting jobs, the seconds that the oldest has waited, and the workers that could take it."""

    waiting: int
    oldest: float
    workers: int


async def read_queue_stats(store: Store) -> QueueStats:
    """Return the queue's figures now. StoreUnavailableError."""
    with translate_errors():
        async with store.commands.pipeline(transaction=False) as pipe:
            pipe.zcard(keys.queued_key())
            pipe.zrange(keys.queued_key(), 0, 0, withscores=True)
            pipe.time()
            replies: Any = await pipe.execute()
    waiting, first, (seconds, micros) = replies
    oldest = max(0.0, seconds + micros / 1e6 - first[0][1] / 1000) if first else 0.0
    return QueueStats(waiting, oldest, len(await Sessions(store).list_available_workers()))
