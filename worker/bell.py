"""A worker's bell: it rings when there is work, or an answer to stop."""

from collections.abc import Callable

from wire.keys import bell_channel
from wire.redis.subscriptions import GAP, Subscriptions


class Bell:
    """Calls `on_work` or `on_stop` when the worker's bell rings, and `on_work` also when it may have rung unheard.

    Whoever doesn't hear it finds the same with the next heartbeat.
    """

    def __init__(
        self, subscriptions: Subscriptions, worker: str, on_work: Callable[[], None], on_stop: Callable[[], None]
    ) -> None:
        self._subscriptions = subscriptions
        self._channel = bell_channel(worker)
        self._on_work = on_work
        self._on_stop = on_stop

    async def run(self) -> None:
        """Listen until cancelled."""
        subscription = self._subscriptions.add(self._channel)
        try:
            while True:
                ring = await subscription.next()
                if ring is GAP or ring[0] == 0:
                    self._on_work()
                else:
                    self._on_stop()
        finally:
            self._subscriptions.remove(self._channel, subscription)
