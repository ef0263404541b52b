"""Looks that are taken from time to time, and at once when there is news."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

_LOG = structlog.get_logger()


class Watch:
    """A task that awaits `look` after `pause()` seconds, and as soon as `news` is set, which `look` then clears."""

    def __init__(
        self, look: Callable[[], Awaitable[None]], pause: Callable[[], float], news: asyncio.Event | None = None
    ) -> None:
        self._look = look
        self._pause = pause
        self._news = news or asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, if it hasn't."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._news.wait()
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - an answer that makes no sense must not end the looks for good
                _LOG.exception("a look at redis's servers failed")

    async def close(self) -> None:
        """End the looks."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
