"""One server for all shards, and connections to it."""

import contextlib

from wire.errors import StoreUnavailableError
from wire.redis.connection import MessageHandler, RedisConnection, connect
from wire.redis.failures import Failures
from wire.redis.replicas import Replicas
from wire.redis.server_checks import check_single
from wire.redis.watch import Watch

# Seconds between two looks at the server.
_CHECK_INTERVAL = 5.0


class SingleNode:
    """Maker of connections to the one server; see wire.redis.replicated_nodes.ReplicatedNodes for more of them."""

    def __init__(self, url: str, timeout: float, check_interval: float = _CHECK_INTERVAL) -> None:
        self._url = url
        self._timeout = timeout
        self._failures = Failures()
        self._replicas = Replicas()
        # The one for commands that was made last: it asks for the role from time to time.
        self._latest: RedisConnection | None = None
        self._watch = Watch(self._look, lambda: check_interval)

    async def connect(self, shard: str, on_message: MessageHandler | None = None) -> RedisConnection:
        """Connect to it; the caller closes the connection. StoreUnavailableError.

        Only a server of the wrong kind makes it wait before the next attempt.
        """
        self._watch.start()
        await self._failures.pause(shard)
        connection = await connect(self._url, self._timeout, self._timeout, on_message)
        connection.replicas = self._replicas
        try:
            await check_single(connection)
        except StoreUnavailableError as error:
            self._failures.record(shard, str(error))
            raise
        self._failures.watch(shard, connection)
        if on_message is None:
            self._latest = connection
        return connection

    async def _look(self) -> None:
        if self._latest is not None and not self._latest.lost.done():
            # What fails has ended the connection, which its user notices.
            with contextlib.suppress(StoreUnavailableError):
                await check_single(self._latest)

    def risks(self) -> list[str]:
        """Return nothing: it doesn't fail over."""
        return []

    def failures(self) -> list[str]:
        """Return why it can't be the one."""
        return self._failures.reasons()

    async def close(self) -> None:
        """Stop looking after connections."""
        await self._watch.close()
