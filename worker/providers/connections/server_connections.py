"""The connections to servers, with a pool for each account."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from worker.accounts.account import ServerAccount
from worker.providers.connections.connection_pool import ConnectionPool
from worker.providers.connections.dialer import Dialer
from worker.providers.connections.http_connection import HttpConnection, ReusedConnectionClosedError
from worker.providers.connections.server_origin import ServerOrigin
from worker.providers.sent_mark import SendHook

# What a pool's connections have in common, beside their account.
_Way = tuple[ServerOrigin, str | None, str]


class ServerConnections:
    """Sends requests over connections, each of which is opened within `connect_timeout` seconds."""

    def __init__(self, connect_timeout: float) -> None:
        self._dialer = Dialer(connect_timeout)
        self._pools: dict[str, tuple[_Way, ConnectionPool]] = {}

    @asynccontextmanager
    async def send(
        self, server: ServerAccount, origin: ServerOrigin, request: bytes, hook: SendHook
    ) -> AsyncGenerator[HttpConnection, None]:
        """Send a question once it has a connection and is marked, and yield the connection with the response's head.

        Leave the block by an exception unless the response has been read as far as it counts. httpx.TransportError,
        before the mark if there is no connection.
        """
        pool = self._find_pool(server, origin)
        connection, is_read = await pool.take(), False
        try:
            await hook.mark()
            if not connection.is_open:
                # Nothing was written to it.
                connection = await pool.open()
            connection.ask(request)
            del request
            await connection.read_head()
            yield connection
            is_read = True
        except ReusedConnectionClosedError:
            pool.note_cut()
            raise
        finally:
            pool.give_back(connection, is_read=is_read)

    @asynccontextmanager
    async def request(
        self, server: ServerAccount, origin: ServerOrigin, request: bytes
    ) -> AsyncGenerator[HttpConnection, None]:
        """Send a request that is no question over a connection of its own, which is closed at the end."""
        connection = await self._dialer.open(origin, server.proxy, None)
        try:
            connection.ask(request)
            await connection.read_head()
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connections that are idle, and the others once they are given back."""
        for _, pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _find_pool(self, server: ServerAccount, origin: ServerOrigin) -> ConnectionPool:
        """Return the account's pool; a new one if the account has changed."""
        way = (origin, server.proxy, server.key)
        known = self._pools.get(server.name)
        if known is not None and known[0] == way:
            return known[1]
        if known is not None:
            known[1].close()
        pool = ConnectionPool(partial(self._dialer.open, origin, server.proxy))
        self._pools[server.name] = (way, pool)
        return pool
