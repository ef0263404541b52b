"""How full Redis is: the memory that it uses, and the bytes that are counted."""

import asyncio
from contextvars import Context
from dataclasses import dataclass
from typing import Any

import structlog

from wire import keys
from wire.redis.store import Store

# The share of Redis's memory above which no question is accepted: the rest is for the ends of those that were.
FULL = 0.85
# The part of Redis's memory that may be kept in all where STORE_BYTES isn't set, and of that what transcripts may take.
_STORE_SHARE = 1 / 2
_TRANSCRIPTS_SHARE = 1 / 4
# And what one process writes at a time for jobs that are not accepted yet.
_UNACCEPTED_SHARE = 1 / 16
# STORE_BYTES where Redis has no limit of its own.
UNLIMITED_STORE_BYTES = 256 * 1024 * 1024
# Seconds for which what was read counts.
_FRESH = 1.0
_LOG = structlog.get_logger()


@dataclass(frozen=True)
class MemoryUse:
    """Bytes: what Redis uses of its `limit` (0: it has none), and what is `counted` of the `allowed` ones."""

    used: int
    limit: int
    counted: int
    allowed: int

    @property
    def share(self) -> float:
        """The larger of the two shares."""
        return max(self.memory_share, self.counted / self.allowed)

    @property
    def memory_share(self) -> float:
        """The share of Redis's limit that is used; 0 without a limit."""
        return self.used / self.limit if self.limit else 0.0

    @property
    def is_full(self) -> bool:
        """Whether the rest of Redis's memory is a reserve."""
        return self.memory_share >= FULL

    @property
    def is_degraded(self) -> bool:
        """Whether questions are refused for lack of room, or soon will be."""
        return self.share >= FULL

    @property
    def unaccepted(self) -> int:
        """How many bytes one process may write for jobs that are not accepted yet."""
        return int(self.allowed * _UNACCEPTED_SHARE)

    @property
    def transcripts(self) -> int:
        """How many of the allowed bytes transcripts may take."""
        return int(self.allowed * _TRANSCRIPTS_SHARE)


class StoreMemory:
    """Reader of how full Redis is; `store_bytes` is the setting. Logs once when Redis fills up, and once after that.

    Logs once too that Redis has no limit of its own, where it has none.
    """

    def __init__(self, store: Store, store_bytes: int | None = None) -> None:
        self._store = store
        self._store_bytes = store_bytes
        self._last: MemoryUse | None = None
        self._until = float("-inf")
        self._degraded = False
        self._warned = False

    async def read(self) -> MemoryUse:
        """Return the use of memory as of the last second. StoreUnavailableError."""
        now = asyncio.get_running_loop().time()
        if self._last is None or now >= self._until:
            # Whoever asks meanwhile gets what was read before: one look a second, however many questions come.
            self._until = now + _FRESH
            self._last = await self._look()
            # In a context of its own: it isn't about the request that happened to look.
            Context().run(self._log, self._last)
        return self._last

    async def _look(self) -> MemoryUse:
        info, counted = await asyncio.gather(self._read_info(), self._store.execute("HGET", keys.bytes_key(), "all"))
        used, limit = info
        allowed = self._store_bytes or int(limit * _STORE_SHARE) or UNLIMITED_STORE_BYTES
        return MemoryUse(used, limit, int(counted or 0), allowed)

    async def _read_info(self) -> tuple[int, int]:
        """Return the used memory and its limit; fakeredis knows neither."""
        if self._store.in_memory:
            return 0, 0
        reply: Any = await self._store.execute("INFO", "memory")
        fields = dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)
        return int(fields["used_memory"]), int(fields.get("maxmemory", 0))

    def _log(self, use: MemoryUse) -> None:
        if not use.limit and not self._store.in_memory and not self._warned:
            self._warned = True
            _LOG.warning("redis has no maxmemory: only what is counted is limited", allowed=use.allowed)
        if use.is_degraded != self._degraded:
            (_LOG.error if use.is_degraded else _LOG.info)(
                "redis is nearly full" if use.is_degraded else "redis has room again",
                used=use.used,
                limit=use.limit,
                counted=use.counted,
                allowed=use.allowed,
            )
        self._degraded = use.is_degraded
