"""Scripts and commands pipelined on one connection: sent together, replied to in order."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wire.errors import StoreUnavailableError
from wire.redis.connection import Argument, RedisConnection, connect

# Seconds before the second attempt, on another connection.
_PAUSE = 0.05
T = TypeVar("T")


class Pipeline:
    """A connection, made on first use and again when it is lost; see wire.redis.connection for its timeouts.

    `sources` contains each script's text by its name. A connection's first call of a script sends its text, later
    ones its hash.
    """

    def __init__(self, url: str, timeout: float, sources: Mapping[str, str]) -> None:
        self._url = url
        self._timeout = timeout
        self._sources = sources
        self._hashes = {name: hashlib.sha1(text.encode()).hexdigest() for name, text in sources.items()}
        self._known: set[str] = set()
        self._connection: RedisConnection | None = None
        self._connecting: asyncio.Task[RedisConnection] | None = None
        self._closed = False
        # How many connections there were.
        self._count = 0

    @property
    def link(self) -> int:
        """The number of the connection on which the next command leaves, 0 if there is none now."""
        return self._count if self._usable() else 0

    def start(self, script: str, key: str, *args: Argument, read: Callable[[Any], T]) -> "asyncio.Future[T]":
        """Start a script; the future gets what `read` returns for its reply, or raises. StoreUnavailableError."""
        return self._start(lambda connection: self._send(connection, script, key, *args, read=read))

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        """Run a script and return its reply; repeat it once if the connection is lost. StoreUnavailableError."""
        return await self._repeat_once(lambda: self.start(script, key, *args, read=_identity))

    async def execute(self, *command: Argument) -> Any:
        """Execute a command and return its raw reply; repeat it like a script. StoreUnavailableError."""
        return await self._repeat_once(
            lambda: self._start(lambda connection: connection.execute(*command, read=_identity))
        )

    def _start(self, begin: "Callable[[RedisConnection], asyncio.Future[T]]") -> "asyncio.Future[T]":
        """Call `begin` with the connection, now or once there is one again."""
        connection = self._usable()
        return begin(connection) if connection else asyncio.ensure_future(self._reconnect(begin))

    def _usable(self) -> RedisConnection | None:
        return None if self._connection is None or self._connection.lost.done() else self._connection

    async def _repeat_once(self, begin: "Callable[[], asyncio.Future[Any]]") -> Any:
        try:
            return await begin()
        except StoreUnavailableError:
            if self._connection is not None and not self._connection.lost.done():
                raise  # Redis itself has refused.
        await asyncio.sleep(_PAUSE)
        return await begin()

    def _send(
        self, connection: RedisConnection, script: str, key: str, *args: Argument, read: Callable[[Any], T]
    ) -> "asyncio.Future[T]":
        if script in self._known:
            return connection.execute("EVALSHA", self._hashes[script], 1, key, *args, read=read)
        self._known.add(script)
        return connection.execute("EVAL", self._sources[script], 1, key, *args, read=read)

    async def _reconnect(self, begin: "Callable[[RedisConnection], asyncio.Future[T]]") -> T:
        if self._closed:
            # A command that was pending then is repeated now: nobody would close another connection.
            raise StoreUnavailableError("closed")
        if connection := self._usable():
            # It was made since this began: a second one would be nobody's to close.
            return await begin(connection)
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            # All waiters may be gone by then.
            self._connecting.add_done_callback(lambda task: task.cancelled() or task.exception())
        # Shared by all waiters, none of which may cancel it; it has a timeout of its own.
        connecting = self._connecting
        await asyncio.wait([connecting])
        return await begin(connecting.result())

    async def _connect(self) -> RedisConnection:
        try:
            connection = await connect(self._url, self._timeout, self._timeout)
        finally:
            self._connecting = None
        self._connection, self._known = connection, set()
        self._count += 1
        return connection

    async def close(self) -> None:
        """Hang up, for good. Pending commands fail, and so do later ones."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._connection is not None:
            await self._connection.close()


def _identity(reply: Any) -> Any:
    return reply
