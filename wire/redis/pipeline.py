"""Scripts and reads, by the dozen on one connection: begun at once, sent together, replied to in order."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from wire.errors import StoreUnavailableError
from wire.redis.connection import Argument, RedisConnection, connect

# Before a second try on another connection, in seconds.
_PAUSE = 0.05
T = TypeVar("T")


class Pipeline:
    """A connection, made when it is first needed and anew when it is lost; see wire.redis.connection for limits.

    `sources` has the text of each script by its name. A connection's first call of a script brings its text, later
    ones its hash.
    """

    def __init__(self, url: str, connect_timeout: float, reply_timeout: float, sources: Mapping[str, str]) -> None:
        self._url = url
        self._reply_timeout = reply_timeout
        self._connect_timeout = connect_timeout
        self._sources = sources
        self._hashes = {name: hashlib.sha1(text.encode()).hexdigest() for name, text in sources.items()}
        self._known: set[str] = set()
        self._link: RedisConnection | None = None
        self._connecting: asyncio.Task[RedisConnection] | None = None

    def start(self, script: str, key: str, *args: Argument, read: Callable[[Any], T]) -> "asyncio.Future[T]":
        """Begin a script; what `read` makes of its reply, or raises. StoreUnavailableError."""
        if self._link is None or self._link.lost.done():
            return asyncio.ensure_future(self._anew(lambda link: self._send(link, script, key, *args, read=read)))
        return self._send(self._link, script, key, *args, read=read)

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        """A script's reply; when the connection is lost meanwhile, that of a second try. StoreUnavailableError."""
        return await self._tried(lambda: self.start(script, key, *args, read=_as_it_is))

    async def execute(self, *command: Argument) -> Any:
        """A command's reply as Redis gives it, tried like a script. StoreUnavailableError."""
        return await self._tried(lambda: self._ask(command))

    def _ask(self, command: Sequence[Argument]) -> "asyncio.Future[Any]":
        if self._link is None or self._link.lost.done():
            return asyncio.ensure_future(self._anew(lambda link: link.execute(*command, read=_as_it_is)))
        return self._link.execute(*command, read=_as_it_is)

    async def _tried(self, begin: "Callable[[], asyncio.Future[Any]]") -> Any:
        try:
            return await begin()
        except StoreUnavailableError:
            if self._link is not None and not self._link.lost.done():
                raise  # Redis itself has refused.
        await asyncio.sleep(_PAUSE)
        return await begin()

    def _send(
        self, link: RedisConnection, script: str, key: str, *args: Argument, read: Callable[[Any], T]
    ) -> "asyncio.Future[T]":
        if script in self._known:
            return link.execute("EVALSHA", self._hashes[script], 1, key, *args, read=read)
        self._known.add(script)
        return link.execute("EVAL", self._sources[script], 1, key, *args, read=read)

    async def _anew(self, begin: "Callable[[RedisConnection], asyncio.Future[T]]") -> T:
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            # Those who wait may all be gone by then.
            self._connecting.add_done_callback(lambda task: task.cancelled() or task.exception())
        # Shared by all that wait for it, none of which may break it off; it has a limit of its own.
        connecting = self._connecting
        await asyncio.wait([connecting])
        return await begin(connecting.result())

    async def _connect(self) -> RedisConnection:
        try:
            link = await connect(self._url, self._connect_timeout, self._reply_timeout)
        finally:
            self._connecting = None
        self._link, self._known = link, set()
        return link

    async def close(self) -> None:
        """Hang up. What is on its way fails."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._link is not None:
            await self._link.close()


def _as_it_is(reply: Any) -> Any:
    return reply
