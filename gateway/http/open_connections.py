"""The connections of this process: how many each client has, and what they have begun and not ended."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import structlog

from gateway.answering.timings import TIMINGS
from gateway.auth.addresses import Networks, client_address, is_trusted, name_client
from gateway.http.body import BodyRoom
from gateway.http.long_steps import LongSteps
from gateway.http.read_turns import ReadTurns

# Bytes of large messages of all sockets: 32 of the largest for the first client that has many.
_MESSAGES = 64 * 1024 * 1024
# The seconds between two log lines about clients that have too many connections.
_LOG_PAUSE = 60.0
_LOG = structlog.get_logger()


class Unfinished(Protocol):
    """A connection on which something has to arrive in time."""

    def give_up(self) -> bool:
        """Close the connection because it didn't; return False if it needn't be so soon."""


class ArrivalTimes:
    """By when connections have to have sent something, each `limit` seconds from when it began. One timer for all."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        # In the order of their times, since the limit is the same for all.
        self._due: dict[Unfinished, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, connection: Unfinished) -> None:
        """Give a connection its time, unless that is running already."""
        if connection not in self._due:
            loop = asyncio.get_running_loop()
            due = self._due[connection] = loop.time() + self._limit
            if self._timer is None:
                self._timer = loop.call_at(due, self._look)

    def renew(self, connection: Unfinished) -> None:
        """Give a connection its time anew."""
        self.end(connection)
        self.begin(connection)

    def end(self, connection: Unfinished) -> None:
        """Forget a connection: what was to arrive has arrived, or it is closed."""
        self._due.pop(connection, None)

    def _look(self) -> None:
        self._timer, now = None, asyncio.get_running_loop().time()
        late = []
        for connection, due in self._due.items():
            if due > now:
                break
            late.append(connection)
        for connection in late:
            self.end(connection)
            if not connection.give_up():
                self.begin(connection)
        if self._due and self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(next(iter(self._due.values())), self._look)


class OpenConnections:
    """The open connections. Proxies that are `trusted` may have any number, every other client `limit`.

    A request's head has to arrive within `head_limit` seconds from when it, or the connection, began; a body may pause
    for `body_limit` seconds. What they read takes turns with the other `steps` of their clients.
    """

    def __init__(
        self,
        limit: int,
        trusted: Networks = (),
        *,
        head_limit: float = TIMINGS.head_limit,
        body_limit: float = TIMINGS.body_limit,
        clock: Callable[[], float] | None = None,
        steps: LongSteps | None = None,
    ) -> None:
        self.reads = ReadTurns(steps or LongSteps())
        self.heads = ArrivalTimes(head_limit)
        self.bodies = ArrivalTimes(body_limit)
        self._limit = limit
        self._trusted = trusted
        self._messages = BodyRoom(_MESSAGES)
        self._counts: Counter[str] = Counter()
        self._clock = clock
        self._log_after = float("-inf")

    def enter(self, peer: str) -> bool:
        """Count a connection of this address; return False, and don't count it, if its client has enough."""
        if is_trusted(peer, self._trusted):
            return True
        client = client_address(peer, (), ())
        if self._counts[client] >= self._limit:
            self._log(client)
            return False
        self._counts[client] += 1
        return True

    def leave(self, peer: str) -> None:
        """Count a connection no more, which had entered."""
        if is_trusted(peer, self._trusted):
            return
        client = client_address(peer, (), ())
        self._counts[client] -= 1
        if self._counts[client] <= 0:
            del self._counts[client]

    def name_reader(self, peer: str) -> str:
        """Return the name of the client that a connection reads for; '' for a trusted proxy, which has many."""
        return "" if is_trusted(peer, self._trusted) else name_client(client_address(peer, (), ()))

    def hold_message(self, peer: str, forwarded: Sequence[str], size: int) -> AbstractContextManager[None]:
        """Return the room of a large message from this address, with these values of X-Forwarded-For.

        ClientFullError if what its client has already leaves too little; one it may always have.
        """
        return self._messages.take_now(client_address(peer, forwarded, self._trusted), size)

    def _log(self, client: str) -> None:
        now = (self._clock or asyncio.get_running_loop().time)()
        if now >= self._log_after:
            self._log_after = now + _LOG_PAUSE
            _LOG.warning("a client has too many connections: see CONNECTION_LIMIT", client=client, limit=self._limit)
