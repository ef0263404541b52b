"""What waits in Redis, and who is there to work on it, as one look finds it."""

from dataclasses import dataclass
from typing import Any

from wire import keys
from wire.connect import Store
from wire.sessions import Sessions
from wire.translation import translated


@dataclass(frozen=True)
class Backlog:
    """How many questions wait, for how many seconds the oldest of them has, and how many workers are alive."""

    waiting: int
    oldest: float
    workers: int


async def look(store: Store) -> Backlog:
    """The backlog now. StoreUnavailableError."""
    with translated():
        async with store.commands.pipeline(transaction=False) as pipe:
            pipe.zcard(keys.queued_key())
            pipe.zrange(keys.queued_key(), 0, 0, withscores=True)
            pipe.time()
            found: Any = await pipe.execute()
    waiting, first, (seconds, micros) = found
    oldest = max(0.0, seconds + micros / 1e6 - first[0][1] / 1000) if first else 0.0
    return Backlog(waiting, oldest, len(await Sessions(store).live_workers()))
