"""Servers of which each shard has one as its primary, another one after a fail-over, and connections to them.

A connection is used only when its server has been asked whether it is what it is to be: the round trip is one of the
connection's beginning, never of a command.
"""

import asyncio
import contextlib
from collections import defaultdict
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from wire.errors import StoreUnavailableError
from wire.redis.address import Endpoint, RedisAddress
from wire.redis.connection import MISPLACED, MessageHandler, RedisConnection, connect
from wire.redis.failures import Failures
from wire.redis.replicas import Replicas
from wire.redis.safety import find_risk
from wire.redis.server_checks import check_primary, read_node_timeout
from wire.redis.watch import Watch

# Seconds between two looks at the servers of connections that are open.
_CHECK_INTERVAL = 5.0
# The same while one has no replica, or there are none: as soon as it has one, that is awaited.
_ALONE_INTERVAL = 0.5
_LOG = structlog.get_logger()


class Locator(Protocol):
    """Finder of primaries. `changed` is set when they may have changed."""

    changed: asyncio.Event

    async def locate(self, shard: str, /) -> Endpoint:
        """Return where the shard's primary is, as far as can be known. StoreUnavailableError, with one sentence."""
        ...

    async def confirm(self, shard: str, /) -> Endpoint | None:
        """Return where the shard's primary is for sure; None if that can't be known now."""
        ...

    async def close(self) -> None:
        """Close the connections that it has."""
        ...


class _Use(NamedTuple):
    """What an open connection leads to, and whether it is for pub/sub."""

    endpoint: Endpoint
    listens: bool


class ReplicatedNodes:
    """Maker of connections to the primary of a shard.

    The connections of a shard are made one after the other, and the pauses between attempts that fail are common to
    them.
    """

    def __init__(
        self, address: RedisAddress, locator: Locator, timeout: float, check_interval: float = _CHECK_INTERVAL
    ) -> None:
        self._address = address
        self._clustered = address.kind == "cluster"
        self._locator = locator
        self._timeout = timeout
        self._failures = Failures()
        self._turns = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._replicas = defaultdict[Endpoint, Replicas](Replicas)
        # Of each shard, its primary and what is wrong with that.
        self._risks: dict[str, tuple[Endpoint, str]] = {}
        # Of each shard, the connections that are open.
        self._open = defaultdict[str, dict[RedisConnection, _Use]](dict)
        self._check_interval = check_interval
        self._watch = Watch(self._look, self._pause, locator.changed)

    async def connect(self, shard: str, on_message: MessageHandler | None = None) -> RedisConnection:
        """Connect to the shard's primary; the caller closes the connection. StoreUnavailableError."""
        self._watch.start()
        async with self._turns[shard]:
            await self._failures.pause(shard)
            try:
                endpoint = await self._locate(shard)
                connection = await self._connect_to(endpoint, shard, on_message)
            except StoreUnavailableError as error:
                self._failures.record(shard, str(error))
                raise
        self._failures.watch(shard, connection)
        self._open[shard][connection] = _Use(endpoint, on_message is not None)
        connection.lost.add_done_callback(partial(self._on_lost, shard, connection))
        return connection

    async def _locate(self, shard: str) -> Endpoint:
        try:
            return await self._locator.locate(shard)
        except StoreUnavailableError:
            # That nobody can say where the primary is says nothing against the one that is in use.
            for _, endpoint in self._in_use(shard):
                return endpoint
            raise

    async def _connect_to(self, endpoint: Endpoint, shard: str, on_message: MessageHandler | None) -> RedisConnection:
        url = self._address.server_url(endpoint)
        connection = await connect(url, self._timeout, self._timeout, on_message)
        connection.replicas = self._replicas[endpoint]
        await self._check(connection, endpoint, shard)
        if self._clustered and on_message is None:
            await read_node_timeout(connection)
        return connection

    async def _check(self, connection: RedisConnection, endpoint: Endpoint, shard: str) -> None:
        """StoreUnavailableError unless the server is the shard's primary. Log a new risk once."""
        replication = await check_primary(connection, str(endpoint), shard)
        replicas = connection.replicas
        alone, awaited = not replicas.are_expected, replicas.can_be_awaited
        risk = endpoint, find_risk(replication, clustered=self._clustered, alone=alone, awaited=awaited)
        if risk[1] and risk not in self._risks.values():
            _LOG.warning("a fail-over is not safe", server=str(endpoint), cause=risk[1])
        self._risks[shard] = risk

    def _on_lost(self, shard: str, connection: RedisConnection, lost: "asyncio.Future[str]") -> None:
        """End the other connections too if the server has said that it isn't the shard's primary."""
        endpoint, _ = self._open[shard].pop(connection)
        if lost.cancelled() or not lost.result().startswith(MISPLACED):
            return
        for other, use in list(self._open[shard].items()):
            if use.endpoint == endpoint:
                other.end(lost.result())

    def _pause(self) -> float:
        connections = [connection for uses in self._open.values() for connection in uses]
        if connections and all(connection.replicas.are_expected for connection in connections):
            return self._check_interval
        return min(self._check_interval, _ALONE_INTERVAL)

    async def _look(self) -> None:
        if self._locator.changed.is_set():
            self._locator.changed.clear()
            self._failures.end_pauses()
        await asyncio.gather(*(self._check_shard(shard) for shard, uses in self._open.items() if uses))

    async def _check_shard(self, shard: str) -> None:
        """End the connections to servers that aren't the shard's primary any more."""
        primary = await self._locator.confirm(shard)
        for connection, (endpoint, _) in list(self._open[shard].items()):
            if primary not in (None, endpoint):
                connection.end(f"the primary is {primary} now, no longer {endpoint}")
        asked = self._in_use(shard)
        await asyncio.gather(*(self._check_again(connection, endpoint, shard) for connection, endpoint in asked))
        # A connection for pub/sub can't ask; it shares the lot of the others.
        misplaced = {endpoint for connection, endpoint in asked if connection.lost.done()}
        servers = {endpoint for _, endpoint in self._in_use(shard)}
        for connection, (endpoint, listens) in list(self._open[shard].items()):
            if listens and (endpoint in misplaced or (servers and endpoint not in servers)):
                connection.end(f"{endpoint} is no longer the primary")

    def _in_use(self, shard: str) -> list[tuple[RedisConnection, Endpoint]]:
        """Return the connections for commands that aren't lost."""
        uses = self._open[shard].items()
        return [(connection, use.endpoint) for connection, use in uses if not (use.listens or connection.lost.done())]

    async def _check_again(self, connection: RedisConnection, endpoint: Endpoint, shard: str) -> None:
        # What fails has ended the connection, which its user notices.
        with contextlib.suppress(StoreUnavailableError):
            await self._check(connection, endpoint, shard)

    def risks(self) -> list[str]:
        """Return what a fail-over may lose, or ask twice, because of how servers are set up: a sentence each."""
        return sorted({f"{endpoint}: {risk}" for endpoint, risk in self._risks.values() if risk})

    def failures(self) -> list[str]:
        """Return why no connection can be made now, a sentence each; nothing while that isn't known."""
        return self._failures.reasons()

    async def close(self) -> None:
        """Stop looking after connections."""
        await self._watch.close()
        await self._locator.close()
