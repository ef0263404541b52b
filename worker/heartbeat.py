"""A worker's heartbeat: as long as it beats, its leases hold."""

import asyncio
from collections.abc import Callable

import structlog

from wire.errors import StoreUnavailableError
from wire.sessions import Sessions

# A stop is seen with the next beat, and must reach the upstream within a second.
_EVERY = 0.9
_LOG = structlog.get_logger()


class Heartbeat:
    """Beats every min(0.9 s, lease/6); `stopped` gets the answers that were stopped, until each is finished."""

    def __init__(self, sessions: Sessions, worker: str, stopped: Callable[[list[str]], None]) -> None:
        self._sessions = sessions
        self._worker = worker
        self._stopped = stopped
        self._ttl = sessions.limits.lease_ttl
        self._began = float("-inf")

    @property
    def holds(self) -> bool:
        """Whether the lease can't have run out: less than its time has passed since the last good beat began."""
        return self.age < self._ttl

    @property
    def age(self) -> float:
        """Seconds since the last good beat began; infinite before the first."""
        return asyncio.get_running_loop().time() - self._began

    async def beat(self) -> None:
        """Beat once. StoreUnavailableError."""
        began = asyncio.get_running_loop().time()
        stopped = await self._sessions.beat(self._worker)
        self._began = began
        self._stopped(stopped)

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
                away = True
            await asyncio.sleep(min(_EVERY, self._ttl / 6))
