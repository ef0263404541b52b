"""The way to Redis: one pool for commands, connections of their own for blocking reads and for pub/sub."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio as redis
from fakeredis import FakeAsyncRedis, FakeRedis, FakeServer
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff, NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from wire import keys, scripts
from wire.errors import StoreUnavailableError

_SCHEMES = ("memory", "redis", "rediss", "unix")
# A command fails within 2 s when Redis is away: two tries, each with these limits.
_COMMAND_TIMEOUT = 0.8

# What a broken line shows up as. RuntimeError: uvloop's word for writing to a connection that the peer has reset.
_BROKEN = (RedisError, OSError, TimeoutError, RuntimeError)
_RETRIED: Any = (redis.ConnectionError, redis.TimeoutError, OSError, RuntimeError)
_ONCE_MORE = Retry(ConstantBackoff(0.05), 1, supported_errors=_RETRIED)
# No error counts as one to retry after: redis-py's own way would connect again and not say so.
_NEVER = Retry(NoBackoff(), 0, supported_errors=())

Argument = str | bytes | int | float


@contextmanager
def translated() -> Iterator[None]:
    """Whatever redis-py raises becomes a StoreUnavailableError.

    redis-py sends through asyncio.wait_for, which up to Python 3.11 swallows a cancellation that comes as the sending
    ends; it is raised here, or the task would go on for ever.
    """
    task = asyncio.current_task()
    asked = task.cancelling() if task else 0
    try:
        yield
    except _BROKEN as error:
        if task and task.cancelling() > asked:
            raise asyncio.CancelledError from error
        raise StoreUnavailableError(f"{type(error).__name__}: {error}") from error
    if task and task.cancelling() > asked:
        raise asyncio.CancelledError


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

    def pubsub(self) -> tuple["redis.Redis", PubSub]:
        """A connection of its own for pub/sub, which says when it is lost; the caller closes both."""
        client = self._client(_COMMAND_TIMEOUT, 1, _NEVER)
        return client, client.pubsub()

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        """Run one script. StoreUnavailableError when Redis is away or refuses."""
        client = self._heartbeats if script == "beat" else self.commands
        with translated():
            return await self._scripts[script](keys=[key], args=list(args), client=client)

    async def close(self) -> None:
        """Close the connections for commands and heartbeats."""
        await self.commands.aclose()
        await self._heartbeats.aclose()
