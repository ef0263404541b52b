"""Questions that have waited for too long, and that no worker ends."""

import asyncio
import contextlib

from gateway.answering.timings import TIMINGS
from wire.errors import StoreUnavailableError
from wire.jobs import Jobs


class OverdueJobs:
    """Ends jobs that nobody follows, and that wait although no worker lives: it looks every `look_every` seconds."""

    def __init__(self, jobs: Jobs, *, look_every: float = TIMINGS.overdue_look_every) -> None:
        self._jobs = jobs
        self._look_every = look_every

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            with contextlib.suppress(StoreUnavailableError):
                await self._jobs.sweep()
            await asyncio.sleep(self._look_every)
