"""Room for bytes that clients hold for a moment: who waits for some gets it by turns of the clients."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass

from wire.errors import ClientFullError

# Seconds after which a client that took all of its room may come back.
_COME_BACK = 1


@dataclass(frozen=True, eq=False)
class _Claim:
    """What somebody waits for, or has: `size` bytes of `limit`."""

    size: int
    limit: int
    admitted: asyncio.Future[None]


class FairRoom:
    """Bytes that are held in this process at a time, with a limit that each claim brings.

    A client leaves as much of it as it takes. Those who wait are admitted in rounds, one claim of each client; one that
    has nothing and finds too little holds up those behind it, so that a large claim isn't overtaken for ever.
    """

    def __init__(self) -> None:
        self._sum = 0
        self._taken: Counter[str] = Counter()
        # What each client waits for; the one whose turn is next comes first.
        self._lines: dict[str, deque[_Claim]] = {}

    @asynccontextmanager
    async def take(self, client: str, size: int, limit: int) -> AsyncIterator[None]:
        """Wait until `size` bytes of a client and those of all others are at most `limit`, or alone; hold them."""
        claim = _Claim(size, limit, asyncio.get_running_loop().create_future())
        self._lines.setdefault(client, deque()).append(claim)
        self._admit()
        try:
            await claim.admitted
            yield
        finally:
            self._leave(client, claim)

    def take_now(self, client: str, size: int, limit: int) -> AbstractContextManager[None]:
        """Return what holds so much during its body; what a client takes first, however little is left.

        ClientFullError at once if there is too little.
        """
        if self._taken[client] and not self._fits(client, size, limit):
            raise ClientFullError(_COME_BACK)
        return self._hold(client, size)

    @contextmanager
    def _hold(self, client: str, size: int) -> Iterator[None]:
        self._add(client, size)
        try:
            yield
        finally:
            self._give_back(client, size)
            self._admit()

    def count_waiting(self, client: str) -> int:
        """Return how many claims of a client wait."""
        return len(self._lines.get(client, ()))

    def _leave(self, client: str, claim: _Claim) -> None:
        """Give back what a claim has, or forget that it waits."""
        if claim.admitted.cancelled():
            self._remove(client, claim)
        else:
            self._give_back(client, claim.size)
        self._admit()

    def _add(self, client: str, size: int) -> None:
        self._sum += size
        self._taken[client] += size

    def _give_back(self, client: str, size: int) -> None:
        self._sum -= size
        self._taken[client] -= size
        if not self._taken[client]:
            del self._taken[client]

    def _admit(self) -> None:
        """Admit who may have its room now."""
        while (client := self._next()) is not None:
            claim, line = self._lines[client][0], self._lines.pop(client)
            line.popleft()
            if line:
                # Its next turn comes behind those of all others.
                self._lines[client] = line
            # Who was cancelled in this round of the loop leaves in the next one.
            if not claim.admitted.cancelled():
                self._add(client, claim.size)
                claim.admitted.set_result(None)

    def _next(self) -> str | None:
        """Return the client that is next; None if nobody may be."""
        for client, line in self._lines.items():
            if self._fits(client, line[0].size, line[0].limit):
                return client
            if client not in self._taken:
                return None
        return None

    def _fits(self, client: str, size: int, limit: int) -> bool:
        left, own = limit - self._sum, self._taken[client]
        return not self._sum or (size <= left and (not own or own + size <= left))

    def _remove(self, client: str, claim: _Claim) -> None:
        """Forget a claim that waited, unless its turn has passed."""
        line = self._lines.get(client, deque())
        if claim in line:
            line.remove(claim)
            if not line:
                del self._lines[client]
