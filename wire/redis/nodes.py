"""The servers that Redis consists of: which one a shard's commands go to, and connections to it.

A connection is used only when its server has been asked whether it is what it is to be: the round trip is one of the
connection's beginning, never of a command.
"""

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, Protocol

import structlog

from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.address import Endpoint, RedisAddress
from wire.redis.backoff import Backoff
from wire.redis.connection import MISPLACED, RedisConnection, connect
from wire.redis.replicas import Replicas
from wire.redis.safety import find_risk

# Seconds between two looks at the servers of connections that are open.
_CHECK_INTERVAL = 5.0
# Versions before this one have no scripts that begin with `#!lua`.
_OLDEST = 7
# Errors while a slot moves key by key.
_HALF_MOVED = ("ASK", "TRYAGAIN")
_LOG = structlog.get_logger()

MessageHandler = Callable[[Any], None]


class Nodes(Protocol):
    """Maker of connections to the primary of a shard."""

    async def connect(self, shard: str, on_message: MessageHandler | None = None, /) -> RedisConnection:
        """Connect to the shard's primary; the caller closes the connection. StoreUnavailableError."""
        ...

    def risks(self) -> list[str]:
        """Return what a fail-over may lose, or ask twice, because of how servers are set up: a sentence each."""
        ...

    def failures(self) -> list[str]:
        """Return why no connection can be made now, a sentence each; nothing while that isn't known."""
        ...

    async def close(self) -> None:
        """Stop looking after connections."""
        ...


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


class SingleNode:
    """One server for all shards."""

    def __init__(self, url: str, timeout: float, check_interval: float = _CHECK_INTERVAL) -> None:
        self._url = url
        self._timeout = timeout
        self._check_interval = check_interval
        self._known: set[str] = set()
        self._failures = _Failures(self._known)
        self._replicas = Replicas()
        # The one for commands that was made last: it asks for the role from time to time.
        self._latest: RedisConnection | None = None
        self._watch: asyncio.Task[None] | None = None

    async def connect(self, _: str, on_message: MessageHandler | None = None) -> RedisConnection:
        """Connect to it; see Nodes. Only a server of the wrong kind makes it wait before the next attempt."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._run())
        await self._failures.pause()
        connection = await connect(self._url, self._timeout, self._timeout, on_message)
        connection.replicas = self._replicas
        try:
            await _check_single(connection)
        except BaseException as error:
            connection.end(str(error))
            if isinstance(error, StoreUnavailableError):
                self._failures.record(str(error))
            raise
        self._failures.watch(connection)
        if on_message is None:
            self._latest = connection
        return connection

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._check_interval)
            if self._latest is None or self._latest.lost.done():
                continue
            try:
                await _check_single(self._latest)
            except StoreUnavailableError as error:
                self._latest.end(str(error))

    def risks(self) -> list[str]:
        """Return nothing: it doesn't fail over; see Nodes."""
        return []

    def failures(self) -> list[str]:
        """Return why it can't be the one; see Nodes."""
        return sorted(self._known)

    async def close(self) -> None:
        """See Nodes."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)


class ReplicatedNodes:
    """Servers of which each shard has one as its primary, and another one after a fail-over.

    The connections of a shard are made one after the other, and the pauses between attempts that fail are common to
    them.
    """

    def __init__(
        self, address: RedisAddress, locator: Locator, timeout: float, check_interval: float = _CHECK_INTERVAL
    ) -> None:
        self._address = address
        self._locator = locator
        self._timeout = timeout
        self._check_interval = check_interval
        self._known: set[str] = set()
        self._failures = defaultdict[str, _Failures](partial(_Failures, self._known))
        self._turns = defaultdict[str, asyncio.Lock](asyncio.Lock)
        self._replicas = defaultdict[Endpoint, Replicas](Replicas)
        # Of each shard, its primary and what is wrong with that.
        self._risks: dict[str, tuple[Endpoint, str]] = {}
        # The connections that are open: of which shard, at which server, and whether for pub/sub.
        self._open: dict[RedisConnection, tuple[str, Endpoint, bool]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def connect(self, shard: str, on_message: MessageHandler | None = None) -> RedisConnection:
        """Connect to the shard's primary; see Nodes."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._run())
        failures = self._failures[shard]
        async with self._turns[shard]:
            await failures.pause()
            try:
                endpoint = await self._locate(shard)
                connection = await self._connect_to(endpoint, shard, on_message)
            except StoreUnavailableError as error:
                failures.record(str(error))
                raise
        failures.watch(connection)
        self._open[connection] = (shard, endpoint, on_message is not None)
        connection.lost.add_done_callback(partial(self._on_lost, connection))
        return connection

    async def _locate(self, shard: str) -> Endpoint:
        try:
            return await self._locator.locate(shard)
        except StoreUnavailableError:
            # That nobody can say where the primary is says nothing against the one that is in use.
            for of, endpoint, listens in self._open.values():
                if of == shard and not listens:
                    return endpoint
            raise

    def _on_lost(self, connection: RedisConnection, lost: "asyncio.Future[str]") -> None:
        """End the other connections too if the server has said that it isn't the shard's primary."""
        shard, endpoint, _ = self._open.pop(connection)
        if lost.cancelled() or not lost.result().startswith(MISPLACED):
            return
        for other, (of, at, _) in list(self._open.items()):
            if (of, at) == (shard, endpoint):
                other.end(lost.result())

    async def _connect_to(self, endpoint: Endpoint, shard: str, on_message: MessageHandler | None) -> RedisConnection:
        url = self._address.server_url(endpoint)
        connection = await connect(url, self._timeout, self._timeout, on_message)
        connection.replicas = self._replicas[endpoint]
        try:
            await self._check(connection, endpoint, shard)
            if self._address.kind == "cluster" and on_message is None:
                await _read_node_timeout(connection)
        except BaseException as error:
            connection.end(str(error))
            raise
        return connection

    async def _check(self, connection: RedisConnection, endpoint: Endpoint, shard: str) -> None:
        """StoreUnavailableError unless the server is the shard's primary. Log a new risk once."""
        replication = await _check_primary(connection, endpoint, shard)
        kind: Literal["sentinel", "cluster"] = "sentinel" if self._address.kind == "sentinel" else "cluster"
        replicas = connection.replicas
        alone, awaited = not replicas.are_expected, replicas.can_be_awaited
        risk = endpoint, find_risk(kind, replication, alone=alone, awaited=awaited)
        if risk[1] and risk not in self._risks.values():
            _LOG.warning("a fail-over is not safe", server=str(endpoint), cause=risk[1])
        self._risks[shard] = risk

    def risks(self) -> list[str]:
        """Return a sentence for each primary that has one; see Nodes."""
        return sorted({f"{endpoint}: {risk}" for endpoint, risk in self._risks.values() if risk})

    def failures(self) -> list[str]:
        """Return why shards have no connection; see Nodes."""
        return sorted(self._known)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._check_interval):
                    await self._locator.changed.wait()
                for failures in self._failures.values():
                    failures.clear()
            except TimeoutError:
                pass
            self._locator.changed.clear()
            for shard in {shard for shard, *_ in self._open.values()}:
                try:
                    await self._check_shard(shard)
                except Exception:  # noqa: BLE001 - an answer that makes no sense must not end the looks for good
                    _LOG.exception("a look at redis's servers failed", shard=shard)

    async def _check_shard(self, shard: str) -> None:
        """End the connections to servers that aren't the shard's primary any more."""
        primary = await self._locator.confirm(shard)
        checks = []
        for connection, (of, endpoint, listens) in list(self._open.items()):
            if of != shard:
                continue
            if primary not in (None, endpoint):
                connection.end(f"the primary is {primary} now, no longer {endpoint}")
            elif not listens:
                checks.append(self._check_open(connection, endpoint, shard))
        misplaced = set(await asyncio.gather(*checks))
        # A connection for pub/sub can't ask; it shares the lot of the others.
        servers = {endpoint for of, endpoint, listens in self._open.values() if of == shard and not listens}
        for connection, (of, endpoint, listens) in list(self._open.items()):
            if of == shard and listens and (endpoint in misplaced or (servers and endpoint not in servers)):
                connection.end(f"{endpoint} is no longer the primary")

    async def _check_open(self, connection: RedisConnection, endpoint: Endpoint, shard: str) -> Endpoint | None:
        """End the connection if its server isn't the shard's primary any more, and return which server that is."""
        try:
            await self._check(connection, endpoint, shard)
        except StoreUnavailableError as error:
            connection.end(str(error))
            return endpoint
        return None

    async def close(self) -> None:
        """See Nodes."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._locator.close()


class _Failures:
    """The pauses after failures, and one log event for each of those that are not among the `known` ones."""

    def __init__(self, known: set[str]) -> None:
        self._known = known
        self._backoff = Backoff()
        self._cleared = asyncio.Event()
        self._reason = ""

    async def pause(self) -> None:
        """Wait until the next attempt may begin."""
        if remaining := self._backoff.remaining(asyncio.get_running_loop().time()):
            self._cleared.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await self._cleared.wait()

    def record(self, reason: str) -> None:
        self._backoff.record_failure(asyncio.get_running_loop().time())
        if reason != self._reason:
            self._known.discard(self._reason)
            self._reason = reason
            if reason not in self._known:
                _LOG.error("redis can't be used", cause=reason)
            self._known.add(reason)

    def watch(self, connection: RedisConnection) -> None:
        """Take the connection's success as the end of what failed, until a command finds its server misplaced."""
        self._known.discard(self._reason)
        self._reason = ""
        connection.lost.add_done_callback(self._on_lost)

    def _on_lost(self, lost: "asyncio.Future[str]") -> None:
        if not lost.cancelled() and lost.result().startswith(MISPLACED):
            self._backoff.record_failure(asyncio.get_running_loop().time())

    def clear(self) -> None:
        self._backoff.clear()
        self._cleared.set()


async def _check_primary(connection: RedisConnection, endpoint: Endpoint, shard: str) -> bytes:
    """Return what INFO says of replication. StoreUnavailableError, with one sentence, unless it is the primary."""
    replication, role, slot = await _ask(connection, f"{endpoint}", shard)
    if isinstance(role, StoreUnavailableError):
        raise StoreUnavailableError(f"{endpoint} doesn't say whether it is the primary: {role}")
    if role[0] != b"master":
        raise StoreUnavailableError(f"{endpoint} is a replica, not the primary")
    if _is_misplaced(slot):
        raise StoreUnavailableError(f"{endpoint} {_what_it_lacks(shard, slot)}")
    connection.replicas.record(len(role[2]))
    return b"" if isinstance(replication, StoreUnavailableError) else bytes(replication)


async def _read_node_timeout(connection: RedisConnection) -> None:
    # Who may not ask for it goes by the usual one.
    with contextlib.suppress(StoreUnavailableError):
        _, timeout = await connection.execute("CONFIG", "GET", "cluster-node-timeout", read=_as_is)
        connection.replicas.node_timeout = int(timeout) / 1000


async def _check_single(connection: RedisConnection) -> None:
    """StoreUnavailableError, with one sentence, if the server can't be the only one."""
    _, role, *slots = await _ask(connection, "REDIS_URL", keys.SHARD, keys.LEDGER)
    # Who may not ask for the role is believed.
    if not isinstance(role, StoreUnavailableError):
        if role[0] != b"master":
            kind = "a sentinel" if role[0] == b"sentinel" else "a replica"
            raise StoreUnavailableError(f"REDIS_URL is {kind}: it must be the primary, or redis+sentinel://")
        connection.replicas.record(len(role[2]))
    for slot in slots:
        if _is_misplaced(slot):
            raise StoreUnavailableError(
                f"REDIS_URL is one node of a cluster that lacks slots, see redis+cluster://: {slot}"
            )


async def _ask(connection: RedisConnection, server: str, *shards: str) -> list[Any]:
    """Return what INFO says of replication, the role, and for each shard an error if the server doesn't serve its keys.

    StoreUnavailableError, with one sentence, if the server is too old.
    """
    replies = [connection.execute("INFO", section, read=_as_is) for section in ("server", "replication")]
    replies.append(connection.execute("ROLE", read=_as_is))
    replies += [connection.execute("EXISTS", keys.prefix(shard), read=_as_is) for shard in shards]
    info, *answers = await asyncio.gather(*replies, return_exceptions=True)
    for answer in [info, *answers]:
        if isinstance(answer, BaseException) and not isinstance(answer, StoreUnavailableError):
            raise answer
    # Who may not ask for the version is believed.
    version = None if isinstance(info, BaseException) else re.search(rb"redis_version:((\d+)\S*)", info)
    if version and int(version[2]) < _OLDEST:
        raise StoreUnavailableError(f"{server} is Redis {version[1].decode()}, but {_OLDEST}.0 or newer is needed")
    return answers


def _is_misplaced(slot: Any) -> bool:
    return isinstance(slot, StoreUnavailableError) and str(slot).startswith(MISPLACED)


def _what_it_lacks(shard: str, slot: StoreUnavailableError) -> str:
    if str(slot).startswith(_HALF_MOVED):
        return (
            f"hands over the slot of {shard} key by key, which no script survives: complete that, or cancel it with "
            f"CLUSTER SETSLOT STABLE: {slot}"
        )
    return f"doesn't serve the keys of {shard}: {slot}"


def _as_is(reply: Any) -> Any:
    return reply
