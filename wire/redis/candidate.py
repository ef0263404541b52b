"""A replica that is about to be the primary."""

from collections.abc import Sequence
from typing import Any

from wire.errors import StoreUnavailableError
from wire.redis.connection import RedisConnection, connect

# Seconds for a connection to it, and for its answer.
_TIMEOUT = 0.4


class Candidate:
    """Asks the server at `url` whether it has taken over, on one connection for as long as that lasts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: RedisConnection | None = None

    async def has_taken_over(self) -> bool:
        """Return whether it says that it is a primary, with a replica.

        One that was only restarted may say that it is a primary, without data; it has no replica. A primary that hands
        over waits until this one reports that it has everything, which replicas do once a second, or when they are
        asked to, by anybody.
        """
        try:
            if self._connection is None or self._connection.lost.done():
                self._connection = await connect(self._url, _TIMEOUT, _TIMEOUT)
            role = await self._connection.execute("ROLE", read=_role)
        except StoreUnavailableError:
            return False
        if role[0] == b"slave":
            # It has no reply. The error of a server that forbids it is nobody's.
            self._connection.send("REPLCONF", "GETACK", "*")
        return role[0] == b"master" and bool(role[2])

    async def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            await self._connection.close()


def _role(reply: Any) -> Sequence[Any]:
    if not isinstance(reply, list):
        raise StoreUnavailableError("no role")
    return reply
