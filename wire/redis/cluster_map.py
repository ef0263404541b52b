"""The map of a Redis Cluster: which node is the primary of a shard. See https://valkey.io/commands/cluster-slots/."""

import asyncio
from typing import Any

from redis.crc import key_slot

from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.address import Endpoint, RedisAddress
from wire.redis.connection import connect

# Seconds that a node has to answer.
_TIMEOUT = 0.4
_SHARDS = (keys.SHARD, keys.LEDGER)

# Of a run of slots: the first, the last, and where its primary is.
_Run = tuple[int, int, Endpoint]


class ClusterMap:
    """Finder of primaries by the nodes of a cluster; see wire.redis.replicated_nodes.Locator.

    The nodes are asked in turn, those of the address and all that these know, since one may be cut off and have an old
    map. So nothing is sure before the node itself has been asked: it says MOVED if it isn't the one. Slots must move as
    a whole: while one moves key by key its node isn't used, and ASK is never followed, since a script could meet half
    of its keys.
    """

    def __init__(self, address: RedisAddress) -> None:
        self.changed = asyncio.Event()
        self._address = address
        # Those that are known, by when it is their turn.
        self._nodes = dict.fromkeys(address.endpoints)

    async def locate(self, shard: str, /) -> Endpoint:
        """Return which node is the shard's primary; see Locator."""
        runs = await self._read()
        primaries = {name: _primary(runs, key_slot(keys.prefix(name).encode())) for name in (*_SHARDS, shard)}
        for name, primary in primaries.items():
            if primary is None:
                # Nothing is accepted that couldn't be answered.
                raise StoreUnavailableError(f"the cluster has no node for the slot of {name}")
        primary = primaries[shard]
        assert primary is not None
        return primary

    async def confirm(self, _: str, /) -> None:
        """Return nothing: the connections' own nodes know; see Locator."""

    async def _read(self) -> list[_Run]:
        """Ask the nodes in turn until one answers. StoreUnavailableError."""
        failure = ""
        for node in list(self._nodes):
            del self._nodes[node]
            self._nodes[node] = None
            try:
                runs = await self._ask(node)
            except StoreUnavailableError as error:
                failure = f"{node}: {error}"
                continue
            self._nodes |= dict.fromkeys(primary for *_, primary in runs)
            return runs
        raise StoreUnavailableError(f"no node of the cluster answers: {failure}")

    async def _ask(self, node: Endpoint) -> list[_Run]:
        connection = await connect(self._address.server_url(node), _TIMEOUT, _TIMEOUT)
        try:
            reply: Any = await connection.execute("CLUSTER", "SLOTS", read=list)
        finally:
            await connection.close()
        return [(first, last, _endpoint(primary, node)) for first, last, primary, *_ in reply]

    async def close(self) -> None:
        """See Locator; nothing stays open."""


def _endpoint(primary: list[Any], asked: Endpoint) -> Endpoint:
    """Return where a primary is; a node without an address of its own is reached like the one that was asked."""
    host, port, *_ = primary
    return Endpoint((host or b"").decode() or asked.host, port)


def _primary(runs: list[_Run], slot: int) -> Endpoint | None:
    return next((primary for first, last, primary in runs if first <= slot <= last), None)
