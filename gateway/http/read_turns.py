"""What connections read before a request, in their client's turn: see LongSteps, whose rests count here too.

A parser handles at once what one read has brought, up to 256 kB: 40,000 tiny parts of a body take 50 ms, and a client
has hundreds of connections. So a read ends when it is a long step. What it leaves, and what arrives while the client
rests or others of its connections wait, is held: then the connections go on one after the other, one in a round of the
loop. What is small is measured only from the fifth read of a round on: to read the processor's clock takes as long.
"""

import asyncio
from typing import Protocol

from gateway.http.long_steps import LongSteps

# Bytes up to which a read is a small one; and how many of those of one client aren't measured in a round of the loop.
SMALL = 2048
_UNMEASURED = 4
# Of so many clients the reads are counted for longer than a round.
_MOST_COUNTED = 64


class HeldRead(Protocol):
    """A connection that holds what it has read."""

    def read_on(self) -> None:
        """Parse what is held: it is this connection's turn."""


class ReadTurns:
    """The connections of each client that hold what they have read. Their client has no name where they may not."""

    def __init__(self, steps: LongSteps) -> None:
        self.steps = steps
        # In the order of their turns. A client without any more is forgotten a round later.
        self._waiting: dict[str, dict[HeldRead, None]] = {}
        # How often each client has read in this round of the loop, or in earlier ones in which nobody did so often.
        self._reads: dict[str, int] = {}
        self._is_clearing = False

    def may_read(self, client: str) -> bool:
        """Return whether what arrives now may be parsed now."""
        return not client or (
            client not in self._waiting and not (self.steps.rest_until(client) and self._rests(client))
        )

    def is_measured(self, client: str, size: int) -> bool:
        """Count a read of `size` bytes, and return whether it is to be measured."""
        if not client or size > SMALL:
            return bool(client)
        count = self._reads[client] = self._reads.get(client, 0) + 1
        if count < _UNMEASURED and len(self._reads) < _MOST_COUNTED:
            return False
        if not self._is_clearing:
            self._is_clearing = True
            asyncio.get_running_loop().call_soon(self._clear)
        return count > _UNMEASURED

    def _clear(self) -> None:
        self._is_clearing = False
        self._reads.clear()

    def wait(self, client: str, connection: HeldRead) -> None:
        """Call `read_on` of a connection once, in its turn."""
        waiting = self._waiting.get(client)
        if waiting is None:
            waiting = self._waiting[client] = {}
            self._prepare(client)
        waiting[connection] = None

    def leave(self, client: str, connection: HeldRead) -> None:
        """Forget a connection."""
        self._waiting.get(client, {}).pop(connection, None)

    def _rests(self, client: str) -> bool:
        return self.steps.rest_until(client) > asyncio.get_running_loop().time()

    def _prepare(self, client: str) -> None:
        """Go on in the next round, or after the client's rest."""
        loop = asyncio.get_running_loop()
        if self._rests(client):
            loop.call_at(self.steps.rest_until(client), self._go_on, client)
        else:
            loop.call_soon(self._go_on, client)

    def _go_on(self, client: str) -> None:
        waiting = self._waiting[client]
        if not waiting:
            del self._waiting[client]
            return
        try:
            # A rest becomes longer while the client's requests run.
            if not self._rests(client):
                connection = next(iter(waiting))
                del waiting[connection]
                connection.read_on()
        finally:
            self._prepare(client)
