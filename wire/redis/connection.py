"""A connection to Redis on hiredis alone.

Many commands may be on their way at once, and replies are passed on as they arrive.

redis-py awaits each command and each message by itself, with a timer for each. On the path of every delta that would
be most of the cost.
"""

import asyncio
import itertools
import ssl
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url

from wire.errors import StoreFullError, StoreUnavailableError
from wire.redis.replicas import Replicas

Argument = str | bytes | int | float
Reply = Any
MessageHandler = Callable[[Reply], None]
T = TypeVar("T")
# Seconds beyond its timeout that a reply may take, since a busy loop of our own may not have read it yet.
_GRACE = 0.05
# Errors of a server that isn't the primary of what it was asked for, or only of a part: it hands over key by key.
MISPLACED = ("READONLY", "MASTERDOWN", "UNBLOCKED", "MOVED", "CLUSTERDOWN", "ASK", "TRYAGAIN")
# Errors after which the whole connection is replaced.
_OUTDATED = ("NOSCRIPT", "LOADING", "NOAUTH", *MISPLACED)
_NUMBERS = itertools.count(1)


class RedisConnection(asyncio.Protocol):
    """One connection. Replies go to the pending commands, in order; other messages go to `on_message`.

    `lost` is done when the connection has ended, with the reason as its result. Every failure of it is a
    StoreUnavailableError, and so is a reply that takes longer than `reply_timeout`, in seconds. `number` is its alone
    among all connections of the process, and never 0. `replicas` is what is known of its server's.
    """

    def __init__(self, reply_timeout: float, on_message: MessageHandler | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = loop.create_future()
        self.number = next(_NUMBERS)
        self.replicas = Replicas()
        self._loop = loop
        self._on_message = on_message
        self._reply_timeout = reply_timeout
        self._reader = hiredis.Reader()
        # Of each pending command: its future, the parser of its reply, and its deadline.
        self._waiting: deque[tuple[asyncio.Future[Any], Callable[[Reply], Any], float]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self._take(reply)
        except Exception as error:  # noqa: BLE001 - `lost` reports it
            self.end(f"{type(error).__name__}: {error}")

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.end(f"{type(error).__name__}: {error}" if error else "closed by Redis")

    def execute(self, *command: Argument, read: Callable[[Reply], T]) -> "asyncio.Future[T]":
        """Send a command; the future gets what `read` returns for its reply, or raises.

        The commands of one turn of the loop are sent together.

        StoreUnavailableError when no reply comes in time, or an error of Redis's.
        """
        answer: asyncio.Future[T] = self._loop.create_future()
        if self.lost.done():
            answer.set_exception(StoreUnavailableError(self.lost.result()))
            return answer
        self._waiting.append((answer, read, self._loop.time() + self._reply_timeout))
        if self._timer is None:
            self._start_timer()
        self.send(*command)
        return answer

    def send(self, *command: Argument) -> None:
        """Send a command that has no reply of its own, such as SUBSCRIBE."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(hiredis.pack_command(cast(Any, command)))

    async def close(self) -> None:
        """Hang up. Pending commands fail."""
        self.end("closed")

    def _flush(self) -> None:
        data, self._out = b"".join(self._out), []
        if self._transport is not None and not self.lost.done():
            try:
                self._transport.write(data)
            except RuntimeError as error:  # uvloop's error for a connection that the peer has reset
                self.end(str(error))

    def _take(self, reply: Reply) -> None:
        if not self._waiting:
            if self._on_message is not None:
                self._on_message(reply)
            return
        answer, read, _ = self._waiting.popleft()
        if answer.done():
            return
        if isinstance(reply, hiredis.ReplyError):
            answer.set_exception(refusal(str(reply)))
            if str(reply).startswith(_OUTDATED):
                self.end(str(reply))
            return
        try:
            answer.set_result(read(reply))
        except Exception as error:  # noqa: BLE001 - for the caller
            answer.set_exception(error)

    def _start_timer(self) -> None:
        oldest = self._waiting[0]
        self._timer = self._loop.call_at(oldest[2], self._check_oldest, oldest, _GRACE)

    def _check_oldest(self, oldest: object, grace: float) -> None:
        """Check the oldest command, by one timer for all: replies arrive in order."""
        self._timer = None
        if not self._waiting:
            return
        if self._waiting[0] is not oldest:
            self._start_timer()
        elif grace:
            self._timer = self._loop.call_later(grace, self._check_oldest, oldest, 0.0)
        else:
            self.end("no reply in time")

    def end(self, reason: str) -> None:
        """Hang up at once. Pending commands fail for that reason, and so do later ones."""
        if self.lost.done():
            return
        self.lost.set_result(reason)
        if self._transport is not None:
            self._transport.abort()
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            answer, *_ = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(StoreUnavailableError(reason))


def refusal(message: str) -> StoreUnavailableError:
    """Return the error for what Redis has replied instead of executing a command."""
    return StoreFullError(cause=message) if message.startswith("OOM") else StoreUnavailableError(message)


async def connect(
    url: str, connect_timeout: float, reply_timeout: float, on_message: MessageHandler | None = None
) -> RedisConnection:
    """Connect to the Redis at `url` within `connect_timeout` seconds; each reply may take `reply_timeout` seconds.

    StoreUnavailableError.
    """
    options: dict[str, Any] = dict(parse_url(url))
    try:
        async with asyncio.timeout(connect_timeout):
            connection = await _open(options, partial(RedisConnection, reply_timeout, on_message))
            try:
                await _introduce(connection, options)
            except BaseException:
                await connection.close()
                raise
    except (OSError, TimeoutError, ssl.SSLError) as error:
        raise StoreUnavailableError(f"{type(error).__name__}: {error}") from error
    return connection


async def _open(options: dict[str, Any], make: Callable[[], RedisConnection]) -> RedisConnection:
    loop = asyncio.get_running_loop()
    if "path" in options:
        _, connection = await loop.create_unix_connection(make, options["path"])
        return connection
    # redis-py's parsing of the address determines the TLS settings.
    tls = SSLConnection(**_without_class(options)).ssl_context.get() if _is_tls(options) else None
    host, port = options.get("host", "localhost"), options.get("port", 6379)
    _, connection = await loop.create_connection(make, host, port, ssl=tls)
    return connection


async def _introduce(connection: RedisConnection, options: dict[str, Any]) -> None:
    if "password" in options:
        user = [options["username"]] if "username" in options else []
        await connection.execute("AUTH", *user, options["password"], read=bool)
    if options.get("db"):
        await connection.execute("SELECT", options["db"], read=bool)


def _is_tls(options: dict[str, Any]) -> bool:
    return options.get("connection_class") is SSLConnection


def _without_class(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "connection_class"}
