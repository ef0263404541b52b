"""The folder of cookie exports, watched: what changes in it is picked up within two seconds."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import structlog
from watchfiles import awatch

from worker.accounts.account import Account
from worker.accounts.directory import DirectoryContents, DirectoryState, read_folder

_LOG = structlog.get_logger()

# What shows that files have changed, without reading them.
DirectorySignature = frozenset[tuple[str | int, ...]]


@dataclass(frozen=True)
class WatchTimings:
    """All in seconds.

    look: between two looks at the folder without an event, which are only hints: many volumes have none.
    quiet: for how long nothing must have changed before the files are read: a copy may be in progress.
    patience: for a folder that keeps changing, or that has lost an account or got a fault.
    """

    look: float = 0.5
    quiet: float = 0.25
    patience: float = 0.9


TIMINGS = WatchTimings()


class DirectoryWatcher:
    """COOKIES_DIR, and what was last reported of it, with the accounts `own` that are from elsewhere.

    `clock` gives the time in Unix seconds.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        own: Sequence[Account] = (),
        *,
        timings: WatchTimings = TIMINGS,
    ) -> None:
        self.path = path
        self._timings = timings
        self._own = own
        self._clock = clock
        self._mark: DirectorySignature = frozenset()
        self._reading = DirectoryContents()
        self._told: DirectoryState | None = None
        self._next_change = 0.0
        self._logged: set[str] = set()

    def load(self) -> DirectoryState:
        """What the folder holds now."""
        mark = directory_signature(self.path)
        return self._take(mark, read_folder(self.path))

    def log_problems(self, contents: DirectoryState, *more: str) -> None:
        """Log what is wrong with the folder, and `more`; what was logged the last time is not said again."""
        sentences = [*contents.problems, *contents.warnings, *more]
        for sentence in sentences:
            if sentence not in self._logged:
                _LOG.warning(sentence)
        self._logged = set(sentences)

    async def changes(self) -> AsyncGenerator[DirectoryState, None]:
        """Each new state of the folder, whole; the first at once if none was told yet.

        It watches only while it is waited for, and ends with the task that waits; close it (aclosing) to end it sooner.
        """
        if self._told is None:
            yield self._take(*await asyncio.to_thread(_look, self.path))
        async with aclosing(_moments(self.path, self._timings.look)) as moments:
            async for _ in moments:
                told, mark, reading = self._told, await asyncio.to_thread(directory_signature, self.path), self._reading
                if mark != self._mark:
                    mark, reading = await self._settled(mark)
                elif self._clock() < self._next_change:
                    continue
                contents = self._take(mark, reading)
                if contents != told:
                    yield contents

    def _take(self, mark: DirectorySignature, reading: DirectoryContents) -> DirectoryState:
        self._mark, self._reading, self._told = mark, reading, self._contents(reading)
        self._next_change = reading.next_change(self._clock())
        return self._told

    def _contents(self, reading: DirectoryContents) -> DirectoryState:
        before = self._told.accounts if self._told else ()
        return reading.state_at(self._clock(), {account.name: account for account in before}, self._own)

    async def _settled(self, mark: DirectorySignature) -> tuple[DirectorySignature, DirectoryContents]:
        """The folder once nothing in it changes or looks unfinished any more; after some patience as it is then."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timings.patience
        while True:
            await asyncio.sleep(self._timings.quiet)
            before, (mark, reading) = mark, await asyncio.to_thread(_look, self.path)
            if loop.time() >= deadline or (mark == before and not self._unfinished(reading)):
                return mark, reading

    def _unfinished(self, reading: DirectoryContents) -> bool:
        """Whether an account is gone or a fault has come: the next moment may bring the rest of a file."""
        told, contents = self._told or DirectoryState(), self._contents(reading)
        lost = {account.name for account in told.accounts} - {account.name for account in contents.accounts}
        return bool(lost or set(contents.problems) - set(told.problems))


def directory_signature(folder: Path) -> DirectorySignature:
    """What the folder's files look like from outside. Links count as what they lead to, so that a swap of one shows."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(_mark_of_entry(entry) for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        return frozenset({(str(error.strerror),)})


def _mark_of_entry(entry: os.DirEntry[str]) -> tuple[str | int, ...]:
    try:
        found = entry.stat()
    except OSError as error:
        return entry.name, str(error.strerror)
    return entry.name, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _look(folder: Path) -> tuple[DirectorySignature, DirectoryContents]:
    """The files as they are read, and a mark from before: what is written meanwhile shows in the next one."""
    mark = directory_signature(folder)
    return mark, read_folder(folder)


async def _moments(folder: Path, look: float) -> AsyncGenerator[None, None]:
    """When to look: when the system tells of an event in the folder, and every `look` seconds without one."""
    while True:
        try:
            timeout = round(look * 1000)
            events = awatch(
                folder, watch_filter=None, debounce=200, rust_timeout=timeout, yield_on_timeout=True, recursive=False
            )
            async with aclosing(events):
                async for changes in events:
                    yield
                    if any(path == str(folder) for _, path in changes):
                        break  # It was removed or moved, and its events go with it.
        except (OSError, RuntimeError):
            pass  # There is no folder, or the system has no watches left.
        await asyncio.sleep(look)
        yield
