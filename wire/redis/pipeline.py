"""Scripts and commands pipelined on one connection: sent together, replied to in order."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import hiredis

from wire.errors import StoreUnavailableError
from wire.redis.connection import Argument, RedisConnection, refusal

# Seconds before the second attempt, on another connection.
_PAUSE = 0.05
T = TypeVar("T")


class Pipeline:
    """A connection, made by `connect` on first use and again when it is lost; see wire.redis.connection.

    Who waits for a connection waits `patience` seconds; the connection itself may take longer.
    `sources` contains each script's text by its name. A connection's first call of a script sends its text, later
    ones its hash. `sentry`, if there is one, is a key that never exists, which each script declares beside its own:
    while a slot moves key by key, a cluster's node then refuses all scripts, instead of breaking one off at the first
    of its other keys that isn't there. `on_lost` is called when a connection is lost.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[RedisConnection]],
        patience: float,
        sources: Mapping[str, str],
        sentry: str = "",
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        self._connect_anew = connect
        self._patience = patience
        self._sources = sources
        self._hashes = {name: hashlib.sha1(text.encode()).hexdigest() for name, text in sources.items()}
        self._known: set[str] = set()
        self._connection: RedisConnection | None = None
        self._connecting: asyncio.Task[RedisConnection] | None = None
        self._sentry = [sentry] if sentry else []
        self._on_lost = on_lost
        self._closed = False

    @property
    def link(self) -> int:
        """The number of the connection on which the next command leaves, 0 if there is none now."""
        connection = self._usable()
        return connection.number if connection else 0

    @property
    def expects_replicas(self) -> bool:
        """Whether its server has replicas, or had some lately; False while there is no connection."""
        connection = self._usable()
        return connection is not None and connection.replicas.are_expected

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

    async def transact(self, *commands: Sequence[Argument]) -> list[Any]:
        """Execute commands as one, with nothing of others between; return their raw replies. Raises as `execute`."""
        replies: list[Any] = await self._repeat_once(
            lambda: self._start(lambda connection: _transact(connection, commands))
        )
        return replies

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
        declared: list[Argument] = [1 + len(self._sentry), key, *self._sentry]
        if script in self._known:
            return connection.execute("EVALSHA", self._hashes[script], *declared, *args, read=read)
        self._known.add(script)
        return connection.execute("EVAL", self._sources[script], *declared, *args, read=read)

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
        await asyncio.wait([connecting], timeout=self._patience)
        if not connecting.done():
            raise StoreUnavailableError("no connection in time")
        return await begin(connecting.result())

    async def _connect(self) -> RedisConnection:
        try:
            connection = await self._connect_anew()
        finally:
            self._connecting = None
        self._connection, self._known = connection, set()
        if (on_lost := self._on_lost) is not None:
            connection.lost.add_done_callback(lambda _: on_lost())
        return connection

    async def close(self) -> None:
        """Hang up, for good. Pending commands fail, and so do later ones."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._connection is not None:
            await self._connection.close()


def _transact(connection: RedisConnection, commands: Sequence[Sequence[Argument]]) -> "asyncio.Future[list[Any]]":
    for command in (("MULTI",), *commands):
        # One that Redis doesn't queue makes it refuse EXEC.
        connection.execute(*command, read=bool).add_done_callback(ignore_outcome)
    return connection.execute("EXEC", read=_whole)


def ignore_outcome(reply: "asyncio.Future[Any]") -> None:
    """Take note of how a command ended, so that asyncio doesn't report it."""
    if not reply.cancelled():
        reply.exception()


def _whole(replies: list[Any]) -> list[Any]:
    """Return what a transaction's commands reply. StoreUnavailableError if one was refused."""
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            raise refusal(str(reply))
    return replies


def _identity(reply: Any) -> Any:
    return reply
