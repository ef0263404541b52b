"""The connections of one account to its server: each is lent for one request, and reused where the server keeps it.

What is written to a connection that its server is closing is lost, and may not be asked again. So connections are
reused only while the server is known to keep them for longer than they are idle here: one of them has to outlive that.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from worker.providers.connections.http_connection import HttpConnection

# Seconds: how long a connection is idle at most, how long the server must have left an idle one open, and how much
# later that is believed, so that a loop that was held up has read of its end by then.
_IDLE = 1.0
_PROOF = 1.9
_BELIEF = 0.1
# Seconds for the rest of a response behind the answer's end, and the largest number of idle connections.
_REST = 0.5
_MOST_IDLE = 100

Opening = Callable[[ssl.SSLSession | None], Awaitable[HttpConnection]]


class ConnectionPool:
    """Lends connections, and keeps the idle ones shortly. `open` opens one; `idle` and `proof` are in seconds."""

    def __init__(self, open_: Opening, *, idle: float = _IDLE, proof: float = _PROOF) -> None:
        self._open = open_
        self._idle_limit = idle
        self._proof = proof
        self._session: ssl.SSLSession | None = None
        # Those that may be lent, the latest at the end, and all that are not lent, each with its timer.
        self._idle: list[HttpConnection] = []
        self._timers: dict[HttpConnection, asyncio.TimerHandle] = {}
        self._is_keeper = False
        self._is_on_trial = False
        self._is_closed = False

    async def take(self) -> HttpConnection:
        """Return a connection to which nothing was written since the last response. httpx.TransportError."""
        while self._idle:
            connection = self._idle[-1]
            self._forget(connection)
            if connection.is_open:
                return connection
        return await self.open()

    async def open(self) -> HttpConnection:
        """Return a new connection. httpx.TransportError."""
        return await self._open(self._session)

    def give_back(self, connection: HttpConnection, *, is_read: bool) -> None:
        """Take a connection back, whose response has been read as far as it counts if `is_read`, else not at all."""
        self._session = connection.tls_session or self._session
        if self._is_closed or not connection.is_open or not (connection.is_complete or is_read):
            connection.close()
        elif connection.is_complete:
            self._keep(connection)
        else:
            # Mostly the end of the body is on its way.
            self._wait(connection, _REST, lambda: self._drop(connection))
            connection.on_change = lambda: self._on_rest(connection)
            connection.drop_rest()

    def close(self) -> None:
        """Close all connections that aren't lent, and those that are when they are given back."""
        self._is_closed = True
        for connection in list(self._timers):
            self._drop(connection)

    def _on_rest(self, connection: HttpConnection) -> None:
        self._forget(connection)
        self._keep(connection)

    def _keep(self, connection: HttpConnection) -> None:
        """Let a connection be idle, if that is of use."""
        if not connection.is_reusable:
            connection.close()
        elif self._is_keeper and len(self._idle) < _MOST_IDLE:
            self._idle.append(connection)
            self._wait(connection, self._idle_limit, lambda: self._drop(connection))
            connection.on_change = lambda: self._on_lost(connection)
        elif not self._is_keeper and not self._is_on_trial:
            self._is_on_trial = True
            self._wait(connection, self._proof, lambda: self._believe(connection))
            connection.on_change = lambda: self._on_lost(connection)
        else:
            connection.close()

    def _believe(self, connection: HttpConnection) -> None:
        self._wait(connection, _BELIEF, lambda: self._pass(connection))

    def _pass(self, connection: HttpConnection) -> None:
        """Reuse connections from now on: an idle one was not closed."""
        self._is_keeper, self._is_on_trial = True, False
        self._drop(connection)

    def _on_lost(self, connection: HttpConnection) -> None:
        """Reuse none any more, until one has outlived its idleness again: the server has closed an idle one."""
        self._is_keeper = self._is_on_trial = False
        for other in [connection, *self._idle]:
            self._drop(other)

    def note_cut(self) -> None:
        """Reuse none any more, as when a connection is lost: the server has closed a reused one without an answer."""
        self._is_keeper = False
        for other in list(self._idle):
            self._drop(other)

    def _wait(self, connection: HttpConnection, seconds: float, then: Callable[[], None]) -> None:
        self._timers[connection] = asyncio.get_running_loop().call_later(seconds, then)

    def _drop(self, connection: HttpConnection) -> None:
        self._forget(connection)
        connection.close()

    def _forget(self, connection: HttpConnection) -> None:
        if (timer := self._timers.pop(connection, None)) is not None:
            timer.cancel()
        if connection in self._idle:
            self._idle.remove(connection)
        connection.on_change = _nothing


def _nothing() -> None:
    """Do nothing: the connection is lent, or closed."""
