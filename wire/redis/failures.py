"""Why shards have no connection, and the pauses between attempts to make one."""

import asyncio
import contextlib
from collections import defaultdict
from functools import partial

import structlog

from wire.redis.backoff import Backoff
from wire.redis.connection import MISPLACED, RedisConnection

_LOG = structlog.get_logger()


class Failures:
    """The last failure of each shard that has no connection, and what pause that makes.

    One that is new is logged, once for all shards that have it.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._backoffs = defaultdict[str, Backoff](Backoff)
        self._cleared = asyncio.Event()

    def reasons(self) -> list[str]:
        """Return the failures, a sentence each."""
        return sorted(set(self._reasons.values()))

    async def pause(self, shard: str) -> None:
        """Wait until the shard's next attempt may begin."""
        if remaining := self._backoffs[shard].remaining(asyncio.get_running_loop().time()):
            self._cleared.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await self._cleared.wait()

    def record(self, shard: str, reason: str) -> None:
        """Take note of an attempt that has failed, and begin the pause before the next one."""
        self._begin_pause(shard)
        if reason not in self._reasons.values():
            _LOG.error("redis can't be used", cause=reason)
        self._reasons[shard] = reason

    def watch(self, shard: str, connection: RedisConnection) -> None:
        """Take the connection's success as the end of what failed, until a command finds its server misplaced."""
        self._reasons.pop(shard, None)
        connection.lost.add_done_callback(partial(self._on_lost, shard))

    def _on_lost(self, shard: str, lost: "asyncio.Future[str]") -> None:
        if not lost.cancelled() and lost.result().startswith(MISPLACED):
            self._begin_pause(shard)

    def _begin_pause(self, shard: str) -> None:
        self._backoffs[shard].record_failure(asyncio.get_running_loop().time())

    def end_pauses(self) -> None:
        """End all pauses: there is news."""
        for backoff in self._backoffs.values():
            backoff.clear()
        self._cleared.set()
