"""The turns that wait for busy accounts: clients take turns, and each one's come in their order.

Only the first of those that wait for the same accounts asks the ledger: so many turns don't cost it more than one.
"""

import asyncio
from collections import deque
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

    def step_back(self) -> None:
        """Make the turn wait until it is the first again."""
        self._first.clear()

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


class _Line:
    """The places of those who wait for the same accounts. The first of the first client is to ask next."""

    def __init__(self) -> None:
        # In the order of the clients' next turns.
        self._clients: dict[str, deque[LinePlace]] = {}

    @property
    def first(self) -> LinePlace | None:
        """The place that asks; None if nobody waits."""
        return next((places[0] for places in self._clients.values()), None)

    def has(self, client: str) -> bool:
        """Return whether a turn of the client waits."""
        return client in self._clients

    def add(self, place: LinePlace) -> None:
        """Add a place behind its client's others; a client that comes goes to the end."""
        self._clients.setdefault(place.client, deque()).append(place)

    def defer(self, client: str) -> None:
        """Let a client come after all others."""
        self._clients[client] = self._clients.pop(client)

    def remove(self, place: LinePlace) -> None:
        """Remove a place. If it was the first, its client's others come after all other clients'."""
        was_first, places = place is self.first, self._clients[place.client]
        places.remove(place)
        if was_first or not places:
            del self._clients[place.client]
        if was_first and places:
            self._clients[place.client] = places


class WaitingLines:
    """A line for each set of accounts that turns wait for. `has_room`: the next in a line may find room at once."""

    def __init__(self, has_room: Callable[[], bool]) -> None:
        self._has_room = has_room
        self._numbers = count()
        self._lines: dict[frozenset[str], _Line] = {}

    def has(self, accounts: frozenset[str], client: str) -> bool:
        """Return whether a turn of the client waits for these accounts."""
        return accounts in self._lines and self._lines[accounts].has(client)

    @contextmanager
    def join(self, accounts: frozenset[str], client: str) -> Iterator[LinePlace]:
        """Take a client's last place in the line for these accounts."""
        line = self._lines.setdefault(accounts, _Line())
        place = LinePlace(next(self._numbers), client)
        line.add(place)
        if line.first is place:
            place.move_up()
        try:
            yield place
        finally:
            self._leave(accounts, place)

    def let_others_ask(self, accounts: frozenset[str], place: LinePlace) -> None:
        """Let the other clients that wait for these accounts ask before the client of `place`, which is the first."""
        line = self._lines[accounts]
        line.defer(place.client)
        if line.first is not None and line.first is not place:
            place.step_back()
            line.first.move_up()

    def _leave(self, accounts: frozenset[str], place: LinePlace) -> None:
        line = self._lines[accounts]
        line.remove(place)
        if line.first is None:
            del self._lines[accounts]
            return
        line.first.move_up()
        if place.is_woken or self._has_room():
            line.first.wake()

    def wake(self, account: str) -> None:
        """Wake the first turn that waits for the account, one of whose turns has ended; of lines, who came earlier."""
        first = [line.first for accounts, line in self._lines.items() if account in accounts and line.first]
        if first:
            min(first, key=lambda place: place.number).wake()
