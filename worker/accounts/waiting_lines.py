"""The turns that wait for busy accounts, in the order in which they came.

Only the first of those that wait for the same accounts asks the ledger: so many turns don't cost it more than one.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count


class LinePlace:
    """A turn's place in a line; `number` grows with each turn that comes, `client` is whose it is."""

    def __init__(self, number: int, client: str) -> None:
        self.number = number
        self.client = client
        self._first = asyncio.Event()
        self._woken = asyncio.Event()

    def move_up(self) -> None:
        """Make the turn the first of its line."""
        self._first.set()

    def wake(self) -> None:
        """Make a turn that is the first ask at once."""
        self._woken.set()

    @property
    def is_woken(self) -> bool:
        """Whether it has been woken since it asked last."""
        return self._woken.is_set()

    async def wait(self, pause: float, until: float) -> None:
        """Return when the turn is to ask: as the first, `pause` seconds later or woken; or at `until` (loop time)."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._first.wait()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._woken.wait()
        # A turn that ends while this one asks wakes it once more.
        self._woken.clear()


class WaitingLines:
    """A line for each set of accounts that turns wait for. `has_room`: the next in a line may find room at once."""

    def __init__(self, has_room: Callable[[], bool]) -> None:
        self._has_room = has_room
        self._numbers = count()
        self._lines: dict[frozenset[str], list[LinePlace]] = {}

    def has(self, accounts: frozenset[str], client: str) -> bool:
        """Return whether a turn of the client waits for these accounts."""
        return any(place.client == client for place in self._lines.get(accounts, ()))

    @contextmanager
    def join(self, accounts: frozenset[str], client: str) -> Iterator[LinePlace]:
        """Take the last place in the line for these accounts."""
        line = self._lines.setdefault(accounts, [])
        place = LinePlace(next(self._numbers), client)
        line.append(place)
        line[0].move_up()
        try:
            yield place
        finally:
            self._leave(accounts, place)

    def _leave(self, accounts: frozenset[str], place: LinePlace) -> None:
        line = self._lines[accounts]
        line.remove(place)
        if not line:
            del self._lines[accounts]
            return
        line[0].move_up()
        if place.is_woken or self._has_room():
            line[0].wake()

    def wake(self, account: str) -> None:
        """Wake the turn that has waited longest for the account, one of whose turns has ended."""
        first = [line[0] for accounts, line in self._lines.items() if account in accounts]
        if first:
            min(first, key=lambda place: place.number).wake()
