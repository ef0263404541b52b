"""Takes over what dead workers left; every worker does so."""

import asyncio
import contextlib

import structlog

from wire.errors import StoreUnavailableError
from wire.sessions import Sessions
from worker.accounts.pool import AccountPool

_LOG = structlog.get_logger()
_EVERY = 1.0


class Reaper:
    """Looks for dead workers, in the name of a live one."""

    def __init__(self, sessions: Sessions, pool: AccountPool) -> None:
        self._sessions = sessions
        self._pool = pool

    async def run(self) -> None:
        """Look for ever, each second."""
        while True:
            with contextlib.suppress(StoreUnavailableError):  # the heartbeat tells of it
                await self.reap()
            await asyncio.sleep(_EVERY)

    async def reap(self) -> None:
        """Look once. StoreUnavailableError."""
        for dead in await self._sessions.list_dead_workers():
            while (left := await self._sessions.reap(self._pool.worker, dead)) > 0:
                pass
            if left == 0:
                await self._pool.vacate(dead)
                _LOG.warning("a worker died, its tokens go on elsewhere", dead=dead)
