"""A worker's heartbeat: as long as it beats, its leases hold."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from wire.errors import StoreUnavailableError
from wire.sessions import Sessions

# A stop is seen with the next beat, and must reach the upstream within a second.
_EVERY = 0.9
_LOG = structlog.get_logger()


class Heartbeat:
    """Beats every min(0.9 s, lease/6).

    `stopped` gets the answers that were stopped, until each is finished. `reassert` tells Redis what the worker holds:
    it is called when Redis may have forgotten, or comes back, with the loop time of the last beat before that.
    """

    def __init__(
        self,
        sessions: Sessions,
        worker: str,
        stopped: Callable[[list[str]], None],
        reassert: Callable[[float], Awaitable[None]],
    ) -> None:
        self._sessions = sessions
        self._worker = worker
        self._stopped = stopped
        self._reassert = reassert
        self._ttl = sessions.lease_ttl
        self._heard = self._told_at = float("-inf")
        # Since when Redis runs with its data, as far as it was told what the worker holds.
        self._told: int | None = None
        self._owes = False

    @property
    def lease_valid(self) -> bool:
        """Whether the lease can't have run out: less than its time has passed since the last good beat began."""
        return self.age < self._ttl

    @property
    def age(self) -> float:
        """Seconds since the last good beat began; infinite before the first."""
        return asyncio.get_running_loop().time() - self._heard

    def request_reassert(self) -> None:
        """Tell Redis with the next beat what the worker holds: it may think of something more."""
        self._owes = True

    async def beat(self) -> None:
        """Beat once. StoreUnavailableError."""
        began = asyncio.get_running_loop().time()
        beat = await self._sessions.beat(self._worker)
        self._heard = began
        if self._owes or self._told not in (None, beat.data_since):
            _LOG.warning("redis may not know what this worker holds, telling it")
            await self._reassert(self._told_at)
        self._told, self._told_at, self._owes = beat.data_since, began, False
        self._stopped(beat.stopped_answers)

    async def run(self) -> None:
        """Beat for ever; a Redis that is away is logged when it goes and when it is back."""
        away = False
        while True:
            try:
                await self.beat()
                if away:
                    _LOG.info("redis is back")
                away = False
            except StoreUnavailableError as error:
                if not away:
                    _LOG.error("redis is away, trying again", cause=str(error))
                away = self._owes = True
            await asyncio.sleep(min(_EVERY, self._ttl / 6))
