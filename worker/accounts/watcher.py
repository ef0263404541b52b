"""Watch the folder of cookie exports, and report a change within two seconds."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
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
        self._signature: DirectorySignature = frozenset()
        self._contents = DirectoryContents()
        self._reported: DirectoryState | None = None
        self._next_change = 0.0
        self._logged: set[str] = set()

    @property
    def aliases(self) -> Aliases:
        """The aliases of its last reported state."""
        return self._reported.aliases if self._reported else Aliases()

    def load(self) -> DirectoryState:
        """Read the folder and return its state now."""
        return self._take(*self._read())

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
            yield self._take(*await asyncio.to_thread(self._read))
        async with aclosing(_wait_for_events(self.path, self._timings.look_every)) as events:
            async for _ in events:
                reported, contents = self._reported, self._contents
                signature = await asyncio.to_thread(directory_signature, self.path)
                if signature != self._signature:
                    signature, contents = await self._settle(signature)
                elif self._clock() < self._next_change:
                    continue
                state = self._take(signature, contents)
                if state != reported:
                    yield state

    def _take(self, signature: DirectorySignature, contents: DirectoryContents) -> DirectoryState:
        self._signature, self._contents, self._reported = signature, contents, self._state(contents)
        self._next_change = contents.next_change(self._clock())
        return self._reported

    def _state(self, contents: DirectoryContents) -> DirectoryState:
        return contents.state_at(self._clock(), self._reported or DirectoryState(), self._own)

    def _read(self) -> tuple[DirectorySignature, DirectoryContents]:
        """Read the files, with a signature from before: the next one shows what is written meanwhile."""
        signature = directory_signature(self.path)
        return signature, read_folder(self.path, self._server_providers)

    async def _settle(self, signature: DirectorySignature) -> tuple[DirectorySignature, DirectoryContents]:
        """Return the folder once nothing in it changes or looks unfinished any more, or after its patience."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timings.patience
        while True:
            await asyncio.sleep(self._timings.quiet)
            before, (signature, contents) = signature, await asyncio.to_thread(self._read)
            if loop.time() >= deadline or (signature == before and not self._is_unfinished(contents)):
                return signature, contents

    def _is_unfinished(self, contents: DirectoryContents) -> bool:
        """Return whether an account is gone or a fault is new: the rest of a file may follow soon."""
        before, after = self._reported or DirectoryState(), self._state(contents)
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
