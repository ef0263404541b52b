"""Limits how long nothing may be heard of somebody."""

import asyncio
from collections.abc import Callable
from types import TracebackType


class IdleTimeout:
    """An async context manager: what runs within it is cut off with TimeoutError when nothing was heard for too long.

    `patience` says how long that is just now, in seconds, and is never less than `shortest`; all ends at `deadline`,
    in the loop's time. To hear something costs a look at the clock: the one timer looks up when it rings what was
    heard meanwhile, instead of being wound anew each time.
    """

    def __init__(self, patience: Callable[[], float], shortest: float, deadline: float) -> None:
        self._patience = patience
        self._shortest = shortest
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0

    async def __aenter__(self) -> "IdleTimeout":
        await self._limit.__aenter__()
        self.reset()
        self._look()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._limit.__aexit__(kind, error, trace)

    def reset(self) -> None:
        """Something was heard."""
        self._heard = self._loop.time()

    def _look(self) -> None:
        now = self._loop.time()
        until = min(self._heard + self._patience(), self._deadline)
        if now >= until:
            self._limit.reschedule(now)
        else:
            self._timer = self._loop.call_at(min(until, now + self._shortest), self._look)
