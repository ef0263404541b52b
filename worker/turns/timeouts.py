"""The limit for how long an upstream may be silent."""

import asyncio
from collections.abc import Callable
from types import TracebackType


class IdleTimeout:
    """An async context manager that raises TimeoutError when `reset` isn't called for too long.

    `limit` returns how long that is at the moment, in seconds, and never returns less than `shortest`. `deadline`, in
    loop time, ends the body in any case. A reset only reads the clock: one timer checks on expiry whether there were
    resets meanwhile, instead of being set again with each of them.
    """

    def __init__(self, limit: Callable[[], float], shortest: float, deadline: float) -> None:
        self._limit = limit
        self._shortest = shortest
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._last_reset = 0.0

    async def __aenter__(self) -> "IdleTimeout":
        await self._timeout.__aenter__()
        self.reset()
        self._check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def reset(self) -> None:
        """Start the limit anew."""
        self._last_reset = self._loop.time()

    def _check(self) -> None:
        now = self._loop.time()
        expiry = min(self._last_reset + self._limit(), self._deadline)
        if now >= expiry:
            self._timeout.reschedule(now)
        else:
            self._timer = self._loop.call_at(min(expiry, now + self._shortest), self._check)
