"""The way to Redis: one pool for commands, connections of their own for blocking reads and for pub/sub."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis.asyncio as redis
from fakeredis import FakeAsyncRedis, FakeRedis, FakeServer
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.commands.core import AsyncScript

from wire import keys, scripts
from wire.link import Argument, Link, connect
from wire.memory import MemoryLink
from wire.translation import translated

_SCHEMES = ("memory", "redis", "rediss", "unix")
# A command fails within 2 s when Redis is away: two tries, each with these limits.
_COMMAND_TIMEOUT = 0.8

# RuntimeError: see wire.translation.
_RETRIED: Any = (redis.ConnectionError, redis.TimeoutError, OSError, RuntimeError)
_ONCE_MORE = Retry(ConstantBackoff(0.05), 1, supported_errors=_RETRIED)

T = TypeVar("T")


class Store:
    """Redis by its address: `memory://` (inside this object), `redis://`, `rediss://` or `unix://`.

    Up to `connections` commands run at once; heartbeats have a connection of their own, so that a crowd of commands
    can't make a worker look dead. Nothing connects before the first command. ValueError, with one sentence, for an
    address that can't be one.
    """

    def __init__(self, url: str, connections: int = 64) -> None:
        if urlsplit(url).scheme not in _SCHEMES:
            raise ValueError(f"REDIS_URL must begin with one of {', '.join(s + '://' for s in _SCHEMES)}")
        self.in_memory = urlsplit(url).scheme == "memory"
        self._url = url
        self._server = FakeServer() if self.in_memory else None
        self.commands = self._client(_COMMAND_TIMEOUT, connections, _ONCE_MORE)
        self._heartbeats = self._client(_COMMAND_TIMEOUT, 1, _ONCE_MORE)
        if self._server is not None:
            # Nothing can have been lost of what begins here: workers needn't wait for each other's word.
            FakeRedis(server=self._server).hset(keys.run_key(), mapping={"id": "memory", "at": 0})
        self._pipeline: Link | None = None
        self._connecting: asyncio.Task[Link] | None = None
        self._scripts: dict[str, AsyncScript] = {
            name: self.commands.register_script(scripts.source(name, in_memory=self.in_memory))
            for name in scripts.names()
        }

    def _client(self, timeout: float, connections: int, retry: Retry) -> "redis.Redis":
        if self._server is not None:
            return FakeAsyncRedis(server=self._server, protocol=2)
        keepalive = {} if urlsplit(self._url).scheme == "unix" else {"socket_keepalive": True}
        try:
            pool = redis.BlockingConnectionPool.from_url(
                self._url,
                max_connections=connections,
                timeout=_COMMAND_TIMEOUT,
                socket_timeout=timeout,
                socket_connect_timeout=_COMMAND_TIMEOUT,
                protocol=2,
                retry=retry,
                **keepalive,
            )
        except ValueError as error:
            raise ValueError(f"REDIS_URL is not an address of Redis: {error}") from error
        return redis.Redis.from_pool(pool)

    def blocking(self, block: float) -> "redis.Redis":
        """A client of its own for reads that block for up to `block` seconds; the caller closes it."""
        return self._client(block + 2, 2, _ONCE_MORE)

    async def link(self, hear: Callable[[Any], None]) -> Link | MemoryLink:
        """A connection of its own for pub/sub; the caller closes it. StoreUnavailableError."""
        if self._server is not None:
            return MemoryLink(FakeAsyncRedis(server=self._server, protocol=2).pubsub(), hear)
        return await connect(self._url, _COMMAND_TIMEOUT, hear)

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        """Run one script. StoreUnavailableError when Redis is away or refuses."""
        client = self._heartbeats if script == "beat" else self.commands
        with translated():
            return await self._scripts[script](keys=[key], args=list(args), client=client)

    def start(self, script: str, key: str, *args: Argument, read: Callable[[Any], T]) -> "asyncio.Future[T]":
        """Run one script, beside all others that are started meanwhile; what `read` makes of its reply, or raises.

        For what happens with every delta: it takes no task and no connection of its own. Raises as `run`.
        """
        if self._pipeline is None or self._pipeline.lost.done():
            return asyncio.ensure_future(self._start_anew(script, key, *args, read=read))
        return self._pipeline.ask("EVALSHA", self._scripts[script].sha, 1, key, *args, read=read)

    async def _start_anew(self, script: str, key: str, *args: Argument, read: Callable[[Any], T]) -> T:
        if self.in_memory:
            return read(await self.run(script, key, *args))
        if self._pipeline is None or self._pipeline.lost.done():
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.create_task(self._connect_pipeline(script))
            # Shared by all that wait for it, none of which may break it off; it has limits of its own.
            connecting = self._connecting
            await asyncio.wait([connecting])
            link = connecting.result()
        else:
            link = self._pipeline
        return await link.ask("EVALSHA", self._scripts[script].sha, 1, key, *args, read=read)

    async def _connect_pipeline(self, script: str) -> Link:
        link = await connect(self._url, _COMMAND_TIMEOUT)
        try:
            await link.ask("SCRIPT", "LOAD", str(self._scripts[script].script), read=bool)
        except BaseException:
            await link.close()
            raise
        self._pipeline = link
        return link

    async def close(self) -> None:
        """Close all connections but those that the caller closes."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._pipeline is not None:
            await self._pipeline.close()
        await self.commands.aclose()
        await self._heartbeats.aclose()
