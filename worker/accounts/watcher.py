"""Watch the folder of cookie exports, and report a change within two seconds."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from watchfiles import awatch

from worker.accounts.account import Account
from worker.accounts.config import Aliases
from worker.accounts.directory import DirectoryContents, DirectoryState, read_folder
from worker.settings import OPENAI

_LOG = structlog.get_logger()

# Shows that files have changed, without reading them.
DirectorySignature = frozenset[tuple[str | int, ...]]


@dataclass(frozen=True)
class WatchTimings:
    """All in seconds.

    look_every: between looks at the folder without an event. Events are only a hint: many volumes send none.
    quiet: without a change before the files are read: a copy may be in progress.
    patience: for a folder that continues to change, or that has lost an account or got a fault.
    """

    look_every: float = 0.5
    quiet: float = 0.25
    patience: float = 0.9


TIMINGS = WatchTimings()


@dataclass(frozen=True)
class DirectoryReading:
    """The folder's files as they were read, and the state that they define until `next_change`, in Unix seconds."""

    signature: DirectorySignature = frozenset()
    contents: DirectoryContents = field(default_factory=DirectoryContents)
    state: DirectoryState = field(default_factory=DirectoryState)
    next_change: float = 0.0


class DirectoryWatcher:
    """COOKIES_DIR, its last reported state, and `own`, the accounts that come from elsewhere.

    `clock` returns the time in Unix seconds. `server_providers` are the providers that accounts.toml may name.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], float] = time.time,
        own: Sequence[Account] = (),
        server_providers: Collection[str] = (OPENAI,),
        *,
        timings: WatchTimings = TIMINGS,
    ) -> None:
        self.path = path
        self._timings = timings
        self._own = own
        self._server_providers = server_providers
        self._clock = clock
        self._reported: DirectoryReading | None = None
        self._logged: set[str] = set()

    @property
    def aliases(self) -> Aliases:
        """The aliases of its last reported state."""
        return self._reported.state.aliases if self._reported else Aliases()

    def load(self) -> DirectoryState:
        """Read the folder and return its state now."""
        self._reported = self._read()
        return self._reported.state

    def log_problems(self, contents: DirectoryState, *further: str) -> None:
        """Log what is wrong with the folder, and what is `further`, except for what was logged the last time."""
        sentences = [*contents.problems, *contents.warnings, *further]
        for sentence in sentences:
            if sentence not in self._logged:
                _LOG.warning(sentence)
        self._logged = set(sentences)

    async def changes(self) -> AsyncGenerator[DirectoryState, None]:
        """Yield each new state of the folder; the first at once if none was reported yet.

        The folder is watched only while a caller waits for the next state. Close the generator (aclosing) to end it.
        """
        if self._reported is None:
            self._reported = await asyncio.to_thread(self._read)
            yield self._reported.state
        async with aclosing(_wait_for_events(self.path, self._timings.look_every)) as events:
            async for _ in events:
                reported = self._reported
                signature = await asyncio.to_thread(directory_signature, self.path)
                if signature != reported.signature:
                    self._reported = await self._settle(signature)
                elif self._clock() >= reported.next_change:
                    self._reported = await asyncio.to_thread(self._evaluate, signature, reported.contents)
                if self._reported.state != reported.state:
                    yield self._reported.state

    def _read(self) -> DirectoryReading:
        """Read the files, with a signature from before: the next one shows what is written meanwhile."""
        signature = directory_signature(self.path)
        return self._evaluate(signature, read_folder(self.path, self._server_providers))

    def _evaluate(self, signature: DirectorySignature, contents: DirectoryContents) -> DirectoryReading:
        """Return what the files define now. A folder of thousands takes long: in a thread, where others wait."""
        now, before = self._clock(), self._reported.state if self._reported else DirectoryState()
        return DirectoryReading(
            signature, contents, contents.state_at(now, before, self._own), contents.next_change(now)
        )

    async def _settle(self, signature: DirectorySignature) -> DirectoryReading:
        """Return the folder once nothing in it changes or looks unfinished any more, or after its patience."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timings.patience
        while True:
            await asyncio.sleep(self._timings.quiet)
            reading = await asyncio.to_thread(self._read)
            if loop.time() >= deadline or (reading.signature == signature and not self._is_unfinished(reading.state)):
                return reading
            signature = reading.signature

    def _is_unfinished(self, after: DirectoryState) -> bool:
        """Return whether an account is gone or a fault is new: the rest of a file may follow soon."""
        before = self._reported.state if self._reported else DirectoryState()
        lost = {account.name for account in before.accounts} - {account.name for account in after.accounts}
        return bool(lost or set(after.problems) - set(before.problems))


def directory_signature(folder: Path) -> DirectorySignature:
    """Return the metadata of the folder's files. Links are followed, so that an exchanged link shows."""
    try:
        with os.scandir(folder) as entries:
            return frozenset(_entry_signature(entry) for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        return frozenset({(str(error.strerror),)})


def _entry_signature(entry: os.DirEntry[str]) -> tuple[str | int, ...]:
    try:
        status = entry.stat()
    except OSError as error:
        return entry.name, str(error.strerror)
    return entry.name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


async def _wait_for_events(folder: Path, interval: float) -> AsyncGenerator[None, None]:
    """Yield when the system reports an event in the folder, and every `interval` seconds without one."""
    while True:
        try:
            timeout = round(interval * 1000)
            events = awatch(
                folder, watch_filter=None, debounce=200, rust_timeout=timeout, yield_on_timeout=True, recursive=False
            )
            async with aclosing(events):
                async for changes in events:
                    yield
                    if any(path == str(folder) for _, path in changes):
                        break  # The folder was removed or moved, and there will be no more events.
        except (OSError, RuntimeError):
            pass  # The folder is missing, or the system has no watches left.
        await asyncio.sleep(interval)
        yield
