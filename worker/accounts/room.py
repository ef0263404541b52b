"""The room at a worker's accounts: how many more turns they can take."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from wire.errors import StoreUnavailableError

# Seconds between two looks at a ledger in which an account was busy.
LOOK_AGAIN = 0.25


class AccountRoom:
    """The room that the ledger counted last, less what this worker's turns are about to take of it.

    `count` counts it in the ledger; None is no limit. `on_room` is called when there is room again.
    """

    def __init__(
        self,
        count: Callable[[], Awaitable[int | None]],
        on_room: Callable[[], None],
        *,
        pause: float = LOOK_AGAIN,
    ) -> None:
        self._count = count
        self._on_room = on_room
        self._pause = pause
        self._counted = math.inf
        # The turns that look for an account, and those of them that wait for whichever gets free.
        self._seeking = 0
        self._waiting = 0
        self._had_places = True
        self._wanted = asyncio.Event()

    @property
    def places(self) -> float:
        """How many more turns may be taken; math.inf if that isn't limited or not known yet."""
        return max(0.0, self._counted - self._seeking)

    @property
    def has_room(self) -> bool:
        """Whether an account had room, whichever turns wait for one."""
        return self._counted > 0

    def update(self, counted: int | None) -> None:
        """Set what the ledger has counted."""
        self._counted = math.inf if counted is None else counted
        self._notify()

    def add_one(self) -> None:
        """Count the room that the end of a turn has made, until the ledger counts it."""
        self._counted += 1
        self._notify()

    def _notify(self) -> None:
        had_places, self._had_places = self._had_places, self.places > 0
        if self._had_places and not had_places:
            self._on_room()

    @contextmanager
    def seek(self) -> Iterator[None]:
        """Count a turn as one that looks for an account."""
        with self._counting(seeking=1):
            yield

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Count a turn as waiting for whichever of its accounts gets free: it asks by itself."""
        with self._counting(waiting=1):
            yield

    @contextmanager
    def stand_aside(self) -> Iterator[None]:
        """Leave out a turn that looks for an account, while it wouldn't take whichever of all gets free."""
        with self._counting(seeking=-1):
            yield

    @contextmanager
    def _counting(self, *, seeking: int = 0, waiting: int = 0) -> Iterator[None]:
        self._seeking += seeking
        self._waiting += waiting
        self._notify()
        try:
            yield
        finally:
            self._seeking -= seeking
            self._waiting -= waiting
            self._notify()

    @property
    def is_wanted(self) -> bool:
        """Whether the ledger is looked into for room."""
        return self._wanted.is_set()

    def want(self) -> None:
        """Look into the ledger every `pause` seconds until there is room."""
        self._wanted.set()

    async def run(self) -> None:
        """Look for room whenever it is wanted, until cancelled. Turns that wait in a line look for themselves."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(self._pause)
            if self.places > 0:
                self._wanted.clear()
            elif not self._waiting:
                with suppress(StoreUnavailableError):
                    await self.refresh()

    async def refresh(self) -> None:
        """Count the room in the ledger. StoreUnavailableError."""
        self.update(await self._count())
