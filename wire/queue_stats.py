"""The queue's length and age, who waits in it, and the places and workers for it, for metrics."""

from dataclasses import dataclass

from wire import keys
from wire.redis.store import Store
from wire.sessions import Sessions


@dataclass(frozen=True)
class QueueStats:
    """The number of waiting jobs, the seconds that the oldest has waited, and the workers that could take it.

    `clients` wait for a turn, one of them for `client_wait` seconds, which is longest; `free` jobs could run at once.
    """

    waiting: int
    oldest: float
    workers: int
    clients: int = 0
    client_wait: float = 0.0
    free: int = 0


async def read_queue_stats(store: Store) -> QueueStats:
    """Return the queue's figures now. StoreUnavailableError."""
    waiting, oldest, _, now, clients, _, since, free = await store.run("queue", keys.queued_key(), keys.prefix())

    def seconds_since(at: int) -> float:
        return max(0, now - at) / 1000 if at else 0.0

    workers = len(await Sessions(store).list_available_workers())
    return QueueStats(waiting, seconds_since(oldest), workers, clients, seconds_since(since), free)
