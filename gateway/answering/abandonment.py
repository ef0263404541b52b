"""Stop answers that their last reader has left, so that no model server writes for nobody."""

import asyncio
import contextvars

import structlog

from wire.errors import StoreUnavailableError
from wire.jobs import Jobs

# How many answers may be about to be stopped; others continue to their end.
_MOST = 10_000
_LOG = structlog.get_logger()


class Abandonment:
    """Stops an answer `grace` seconds after its reader at this gateway has hung up, if nobody follows it by then.

    A gateway that goes down stops nothing: its readers may come back to another one.
    """

    def __init__(self, jobs: Jobs, grace: float) -> None:
        self._jobs = jobs
        self._grace = grace
        self._leaving: set[asyncio.Task[None]] = set()

    def begin(self, answer: str) -> None:
        """Stop the answer after the grace, unless it is followed."""
        if len(self._leaving) < _MOST:
            task = asyncio.create_task(self._stop(answer), context=contextvars.Context())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Stop nothing any more."""
        for task in self._leaving:
            task.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _stop(self, answer: str) -> None:
        await asyncio.sleep(self._grace)
        try:
            if await self._jobs.stop_abandoned(answer):
                _LOG.info("answer stopped, as its last reader has left", answer=answer)
        except StoreUnavailableError as error:
            _LOG.warning("abandoned answer not stopped", answer=answer, cause=str(error))
