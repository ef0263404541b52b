"""Take over the tokens of dead workers."""

import asyncio
import contextlib

import structlog

from wire.errors import StoreUnavailableError
from wire.sessions import Sessions
from worker.accounts.pool import AccountPool

_LOG = structlog.get_logger()
_EVERY = 1.0


class Reaper:
    """Looks for dead workers on behalf of a live one; every worker has a reaper."""

    def __init__(self, sessions: Sessions, pool: AccountPool) -> None:
        self._sessions = sessions
        self._pool = pool

    async def run(self) -> None:
        """Reap each second until cancelled."""
        while True:
            with contextlib.suppress(StoreUnavailableError):  # the heartbeat logs it
                await self.reap()
            await asyncio.sleep(_EVERY)

    async def reap(self) -> None:
        """Put the tokens of all dead workers back on the schedule. Raises StoreUnavailableError."""
        for dead in await self._sessions.list_dead_workers():
            while (left := await self._sessions.reap(self._pool.worker, dead)) > 0:
                pass
            if left == 0:
                await self._pool.free_slots(dead)
                _LOG.warning("a worker died, its tokens continue elsewhere", dead=dead)
