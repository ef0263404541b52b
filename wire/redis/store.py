"""Access to Redis: one connection for scripts and short reads, one for heartbeats, one for work and large strings.

What counts only once a replica has it has a connection of its own, and so has pub/sub. Where shards are on several
nodes, each shard has its own connections, and every command goes to the shard that its first key or channel belongs to.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from fakeredis import FakeAsyncRedis, FakeRedis, FakeServer

from wire import keys, scripts
from wire.errors import UnconfirmedError
from wire.redis.address import RedisAddress
from wire.redis.cluster_map import ClusterMap
from wire.redis.confirmed_pipeline import ConfirmedPipeline
from wire.redis.connection import Argument, MessageHandler, RedisConnection
from wire.redis.memory import MemoryConnection, MemoryPipeline
from wire.redis.pipeline import Pipeline
from wire.redis.replicated_nodes import ReplicatedNodes
from wire.redis.sentinels import Sentinels
from wire.redis.single_node import SingleNode

# A command fails within 2 s when Redis is away: two attempts, each with this timeout in seconds.
_COMMAND_TIMEOUT = 0.8
# How long who waits for a connection gives it: a little longer, since its own timeout has the better reason.
_PATIENCE = _COMMAND_TIMEOUT + 0.05
# Commands at the same time, each of which takes a connection of redis-py's to a Redis inside the process.
_MANY = 1_000_000
T = TypeVar("T")


class _Links(NamedTuple):
    """The connections to the node of a shard."""

    scripts: Pipeline | MemoryPipeline
    heartbeats: Pipeline | MemoryPipeline
    transfers: Pipeline | MemoryPipeline
    confirmed: Pipeline | MemoryPipeline


class Store:
    """Redis by its address: `memory://` (inside this object), or one of those of wire.redis.address.

    Heartbeats have a connection of their own, so that many scripts can't make a worker look dead;
    `on_heartbeats_lost` is called when it is lost. Nothing connects before the first command. ValueError, with one
    sentence, for an address that can't be one.
    """

    def __init__(self, url: str) -> None:
        address = RedisAddress.parse(url)
        self.in_memory = address.kind == "memory"
        self._url = url
        self._server = FakeServer() if self.in_memory else None
        if self._server is not None:
            # Nothing can have been lost of a new database: workers needn't wait for each other to reassert.
            FakeRedis(server=self._server).hset(keys.run_key(), mapping={"id": "memory", "at": 0})
        self._sharded = address.kind == "cluster"
        self._sources = {
            name: scripts.source(name, in_memory=self.in_memory, sharded=self._sharded) for name in scripts.names()
        }
        self.on_heartbeats_lost: Callable[[], None] | None = None
        self._nodes = _make_nodes(address)
        self._links: dict[str, _Links] = {}
        # Where one node at a time has all shards, the connections to it.
        self._all = None if self._sharded else self._make_links(keys.SHARD)

    def _make_links(self, shard: str) -> _Links:
        if self._server is not None:
            return _Links(*(self._make_memory_pipeline(self._server) for _ in _Links._fields))
        connect, prefix = partial(self._nodes.connect, shard), keys.prefix(shard)
        sentry = prefix if self._sharded else ""
        return _Links(
            Pipeline(connect, _PATIENCE, self._sources, sentry),
            Pipeline(connect, _PATIENCE, self._sources, sentry, self._report_heartbeats_lost),
            Pipeline(connect, _PATIENCE, {}),
            ConfirmedPipeline(connect, _PATIENCE, self._sources, keys.confirmed_key(shard), prefix, sentry),
        )

    def _make_memory_pipeline(self, server: FakeServer) -> MemoryPipeline:
        return MemoryPipeline(FakeAsyncRedis(server=server, protocol=2, max_connections=_MANY), self._sources)

    def _report_heartbeats_lost(self) -> None:
        if self.on_heartbeats_lost is not None:
            self.on_heartbeats_lost()

    def _links_to(self, shard: str) -> _Links:
        if self._all is not None:
            return self._all
        if shard not in self._links:
            self._links[shard] = self._make_links(shard)
        return self._links[shard]

    def _links_of(self, key: str) -> _Links:
        return self._all or self._links_to(keys.shard_of_name(key))

    async def connect_pubsub(self, on_message: MessageHandler) -> RedisConnection | MemoryConnection:
        """Open a connection for pub/sub; the caller closes it. StoreUnavailableError."""
        if self._server is not None:
            return MemoryConnection(FakeAsyncRedis(server=self._server, protocol=2).pubsub(), on_message)
        return await self._nodes.connect(keys.SHARD, on_message)

    @property
    def subscribe_commands(self) -> tuple[str, str]:
        """The commands by which a connection for pub/sub begins and ends to get a channel's messages."""
        return ("SSUBSCRIBE", "SUNSUBSCRIBE") if self._sharded else ("SUBSCRIBE", "UNSUBSCRIBE")

    async def publish(self, channel: str, message: bytes) -> None:
        """Publish a message. Raises as `run`."""
        await self.execute("SPUBLISH" if self._sharded else "PUBLISH", channel, message)

    async def count_subscribers(self, channel: str) -> int:
        """Return how many connections get a channel's messages. Raises as `run`."""
        _, count = await self.execute("PUBSUB", "SHARDNUMSUB" if self._sharded else "NUMSUB", channel)
        return int(count)

    def link(self, shard: str) -> int:
        """Return the number of the connection on which the shard's next script leaves, 0 if there is none now.

        No two connections of the process have the same number.
        """
        return self._links_to(shard).scripts.link

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        """Run one script and return its reply. StoreUnavailableError when Redis is away or refuses."""
        links = self._links_of(key)
        return await (links.heartbeats if script == "beat" else links.scripts).run(script, key, *args)

    async def run_confirmed(self, script: str, key: str, *args: Argument) -> Any:
        """Run one script like `run`, and return its reply once a replica has what it wrote, where the node has any.

        UnconfirmedError if it was run, and no replica has that in time.
        """
        links = self._links_of(key)
        if not links.scripts.expects_replicas:
            reply = await self.run(script, key, *args)
            # Until it has connected nothing is known of replicas; a repeat is harmless.
            if not links.scripts.expects_replicas:
                return reply
        try:
            return await links.confirmed.run(script, key, *args)
        except UnconfirmedError:
            # A replica may stall for a moment.
            return await links.confirmed.run(script, key, *args)

    def start(self, script: str, key: str, *args: Argument, read: Callable[[Any], T]) -> "asyncio.Future[T]":
        """Start one script; the future gets what `read` returns for its reply, or raises. Raises as `run`.

        It leaves on the shard's current `link`. For the path of every delta: it creates no task, and a lost connection
        fails the call at once.
        """
        return self._links_of(key).scripts.start(script, key, *args, read=read)

    async def execute(self, *command: Argument) -> Any:
        """Execute a short command and return its raw reply. Raises as `run`.

        One without a key or channel goes to the first shard.
        """
        return await self._links_for(command).scripts.execute(*command)

    async def execute_all(self, commands: Iterable[Sequence[Argument]]) -> list[Any]:
        """Execute short commands at the same time, and return their raw replies. Raises as `run`."""
        return await asyncio.gather(*(self.execute(*command) for command in commands))

    async def transact(self, *commands: Sequence[Argument]) -> list[Any]:
        """Execute commands of one shard as one, which may carry many bytes; return their raw replies.

        Raises as `run`.
        """
        return await self._links_for(commands[0]).transfers.transact(*commands)

    async def transfer(self, *command: Argument) -> Any:
        """Execute a command that may carry many bytes, on a connection where it holds up no script. Raises as `run`."""
        return await self._links_for(command).transfers.execute(*command)

    async def read_time(self, shard: str = keys.SHARD) -> int:
        """Return the time of the shard's node, as Unix time in ms. Raises as `run`."""
        seconds, micros = await self._links_to(shard).scripts.execute("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def _links_for(self, command: Sequence[Argument]) -> _Links:
        return self._all or self._links_to(next(filter(None, map(_shard_named, command)), keys.SHARD))

    def risks(self) -> list[str]:
        """Return what a fail-over may lose, or ask twice, because of how servers are set up: a sentence each."""
        return self._nodes.risks()

    def failures(self) -> list[str]:
        """Return why no connection can be made now, a sentence each; nothing while that isn't known."""
        return self._nodes.failures()

    async def close(self) -> None:
        """Close all connections but those that the caller closes."""
        for links in (*self._links.values(), *([self._all] if self._all else [])):
            for pipeline in links:
                await pipeline.close()
        await self._nodes.close()


def _shard_named(argument: Argument) -> str:
    """Return the shard of a key or channel, nothing for another argument."""
    return keys.shard_of_name(argument) if isinstance(argument, str) else ""


def _make_nodes(address: RedisAddress) -> SingleNode | ReplicatedNodes:
    if address.kind == "sentinel":
        return ReplicatedNodes(address, Sentinels(address), _COMMAND_TIMEOUT)
    if address.kind == "cluster":
        return ReplicatedNodes(address, ClusterMap(address), _COMMAND_TIMEOUT)
    return SingleNode(address.url, _COMMAND_TIMEOUT)
