"""Access to Redis: one connection for scripts and short reads, one for heartbeats, one for work, a pool for the rest.

Pub/sub has a connection of its own.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis.asyncio as redis
from fakeredis import FakeAsyncRedis, FakeRedis, FakeServer
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from wire import keys, scripts
from wire.redis.connection import Argument, RedisConnection, connect
from wire.redis.memory import MemoryConnection, MemoryPipeline
from wire.redis.pipeline import Pipeline

_SCHEMES = ("memory", "redis", "rediss", "unix")
# A command fails within 2 s when Redis is away: two attempts, each with this timeout in seconds.
_COMMAND_TIMEOUT = 0.8
# How many of the pool's commands run at once; more of them wait.
_CONNECTIONS = 64

# RuntimeError: see wire.redis.errors.
_RETRIED: Any = (redis.ConnectionError, redis.TimeoutError, OSError, RuntimeError)
_RETRY_ONCE = Retry(ConstantBackoff(0.05), 1, supported_errors=_RETRIED)

T = TypeVar("T")


class Store:
    """Redis by its address: `memory://` (inside this object), `redis://`, `rediss://` or `unix://`.

    Heartbeats have a connection of their own, so that many scripts can't make a worker look dead. Nothing
    connects before the first command. ValueError, with one sentence, for an address that can't be one.
    """

    def __init__(self, url: str) -> None:
        if urlsplit(url).scheme not in _SCHEMES:
            raise ValueError(f"REDIS_URL must begin with one of {', '.join(s + '://' for s in _SCHEMES)}")
        self.in_memory = urlsplit(url).scheme == "memory"
        self._url = url
        self._server = FakeServer() if self.in_memory else None
        self.commands = self._make_client()
        if self._server is not None:
            # Nothing can have been lost of a new database: workers needn't wait for each other to reassert.
            FakeRedis(server=self._server).hset(keys.run_key(), mapping={"id": "memory", "at": 0})
        sources = {name: scripts.source(name, in_memory=self.in_memory) for name in scripts.names()}
        self._pipeline, self._heartbeats = (self._make_pipeline(sources) for _ in range(2))
        self._transfers = self._make_pipeline({})

    def _make_pipeline(self, sources: Mapping[str, str]) -> Pipeline | MemoryPipeline:
        if self._server is not None:
            return MemoryPipeline(FakeAsyncRedis(server=self._server, protocol=2), sources)
        return Pipeline(self._url, _COMMAND_TIMEOUT, sources)

    def _make_client(self) -> "redis.Redis":
        if self._server is not None:
            return FakeAsyncRedis(server=self._server, protocol=2)
        keepalive = {} if urlsplit(self._url).scheme == "unix" else {"socket_keepalive": True}
        try:
            pool = redis.BlockingConnectionPool.from_url(
                self._url,
                max_connections=_CONNECTIONS,
                timeout=_COMMAND_TIMEOUT,
                socket_timeout=_COMMAND_TIMEOUT,
                socket_connect_timeout=_COMMAND_TIMEOUT,
                protocol=2,
                retry=_RETRY_ONCE,
                **keepalive,
            )
        except ValueError as error:
            raise ValueError(f"REDIS_URL is not an address of Redis: {error}") from error
        return redis.Redis.from_pool(pool)

    async def connect_pubsub(self, on_message: Callable[[Any], None]) -> RedisConnection | MemoryConnection:
        """Open a connection for pub/sub; the caller closes it. StoreUnavailableError."""
        if self._server is not None:
            return MemoryConnection(FakeAsyncRedis(server=self._server, protocol=2).pubsub(), on_message)
        return await connect(self._url, _COMMAND_TIMEOUT, _COMMAND_TIMEOUT, on_message)

    @property
    def link(self) -> int:
        """The number of the connection on which the next script leaves, 0 if there is none now."""
        return self._pipeline.link

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        """Run one script and return its reply. StoreUnavailableError when Redis is away or refuses."""
        return await (self._heartbeats if script == "beat" else self._pipeline).run(script, key, *args)

    def start(self, script: str, key: str, *args: Argument, read: Callable[[Any], T]) -> "asyncio.Future[T]":
        """Start one script; the future gets what `read` returns for its reply, or raises. Raises as `run`.

        It leaves on the current `link`. For the path of every delta: it creates no task, and a lost connection fails
        the call at once.
        """
        return self._pipeline.start(script, key, *args, read=read)

    async def execute(self, *command: Argument) -> Any:
        """Execute a short command and return its raw reply. Raises as `run`."""
        return await self._pipeline.execute(*command)

    async def transfer(self, *command: Argument) -> Any:
        """Execute a command that may carry many bytes, on a connection where it holds up no script. Raises as `run`."""
        return await self._transfers.execute(*command)

    async def close(self) -> None:
        """Close all connections but those that the caller closes."""
        await self._pipeline.close()
        await self._heartbeats.close()
        await self._transfers.close()
        # A Redis that doesn't answer any more is no reason to fail: the connections end with the process.
        with contextlib.suppress(redis.RedisError, OSError):
            await self.commands.aclose()
