"""Room for bytes that clients hold for a moment: who waits for some gets it by turns of the clients."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


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

    def _leave(self, client: str, claim: _Claim) -> None:
        """Give back what a claim has, or forget that it waits."""
        if claim.admitted.cancelled():
            self._remove(client, claim)
        else:
            self._sum -= claim.size
            self._taken[client] -= claim.size
            if not self._taken[client]:
                del self._taken[client]
        self._admit()

    def _admit(self) -> None:
        """Admit who may have its room now."""
        while (client := self._next()) is not None:
            claim, line = self._lines[client][0], self._lines.pop(client)
            line.popleft()
            if line:
                # Its next turn comes behind those of all others.
                self._lines[client] = line
            self._sum += claim.size
            self._taken[client] += claim.size
            claim.admitted.set_result(None)

    def _next(self) -> str | None:
        """Return the client that is next; None if nobody may be."""
        for client, line in self._lines.items():
            if self._fits(client, line[0]):
                return client
            if client not in self._taken:
                return None
        return None

    def _fits(self, client: str, claim: _Claim) -> bool:
        left, own = claim.limit - self._sum, self._taken[client]
        return not self._sum or (claim.size <= left and (not own or own + claim.size <= left))

    def _remove(self, client: str, claim: _Claim) -> None:
        line = self._lines[client]
        line.remove(claim)
        if not line:
            del self._lines[client]
