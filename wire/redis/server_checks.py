"""Whether a server is what it is to be: it is asked when a connection to it begins, and from time to time.

A check that fails ends the connection. Servers that may not be asked, as managed ones, are believed.
"""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from typing import Any

from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.connection import MISPLACED, RedisConnection

# Versions before this one have no scripts that begin with `#!lua`.
_OLDEST = 7
# Errors while a slot moves key by key.
_HALF_MOVED = ("ASK", "TRYAGAIN")


async def check_single(connection: RedisConnection) -> None:
    """StoreUnavailableError, with one sentence, if the server can't be the only one."""
    with _ended_by_errors(connection):
        _, role, *slots = await _ask(connection, "REDIS_URL", keys.SHARD, keys.LEDGER)
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


async def check_primary(connection: RedisConnection, server: str, shard: str) -> bytes:
    """Return what INFO says of replication. StoreUnavailableError, with one sentence, unless it is the primary.

    `server` is what that calls it.
    """
    with _ended_by_errors(connection):
        replication, role, slot = await _ask(connection, server, shard)
        if isinstance(role, StoreUnavailableError):
            raise StoreUnavailableError(f"{server} doesn't say whether it is the primary: {role}")
        if role[0] != b"master":
            raise StoreUnavailableError(f"{server} is a replica, not the primary")
        if _is_misplaced(slot):
            raise StoreUnavailableError(f"{server} {_what_it_lacks(shard, slot)}")
        connection.replicas.record(len(role[2]))
        return b"" if isinstance(replication, StoreUnavailableError) else bytes(replication)


async def read_node_timeout(connection: RedisConnection) -> None:
    """Take note of how long a cluster waits for its nodes. One that doesn't say it goes by the usual time."""
    with _ended_by_errors(connection), contextlib.suppress(StoreUnavailableError, ValueError):
        _, timeout = await connection.execute("CONFIG", "GET", "cluster-node-timeout", read=_as_is)
        connection.replicas.node_timeout = int(timeout) / 1000


@contextlib.contextmanager
def _ended_by_errors(connection: RedisConnection) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        connection.end(str(error))
        raise


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
