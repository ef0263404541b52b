"""Whether there is a worker: a question that nobody will take is refused at once, and doesn't wait in vain."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from gateway.answering.timings import TIMINGS
from wire.errors import StoreUnavailableError


class WorkerPresence:
    """What this gateway has seen of the workers: it looks every `look_every` seconds.

    They are absent when none that has an account is alive now, and none was for `patience` seconds, or since this
    process began. While Redis is away nothing is known, so the patience begins anew with its return.
    """

    def __init__(
        self,
        list_available_workers: Callable[[], Awaitable[Sequence[str]]],
        *,
        patience: float = TIMINGS.worker_patience,
        look_every: float = TIMINGS.worker_look_every,
    ) -> None:
        self._list_available_workers = list_available_workers
        self._patience = patience
        self._look_every = look_every
        self._alive = True
        # The loop time at which one may have been alive, None before the first one was seen.
        self._seen: float | None = None

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(self._look_every)

    async def is_absent(self) -> bool:
        """Return whether the workers are absent; before it says so it looks once more."""
        if self._seems_absent():
            await self._look()
        return self._seems_absent()

    def _seems_absent(self) -> bool:
        now = asyncio.get_running_loop().time()
        return not self._alive and (self._seen is None or now - self._seen >= self._patience)

    async def _look(self) -> None:
        with contextlib.suppress(StoreUnavailableError):
            self._alive = bool(await self._list_available_workers())
            if not self._alive:
                return
        self._seen = asyncio.get_running_loop().time()
