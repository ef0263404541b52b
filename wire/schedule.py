"""The schedule: streams of tokens that have work."""

import asyncio
import contextlib
import secrets
from types import TracebackType

from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.connection import Argument
from wire.redis.store import Store
from wire.sessions import ScheduleEntry

# How long one read waits for work, in seconds.
BLOCK = 1.0
# How often a worker checks for entries that another read and didn't claim, in seconds.
_LOOK_EVERY = 1.0

# Streams with their entries: id and fields, a name before each value.
_Streams = list[tuple[bytes, list[tuple[bytes, list[bytes] | None]]]]


class Schedule:
    """A worker's reader of the shared stream and of its own; all calls may raise StoreUnavailableError.

    Any worker may take an entry that was read and not claimed for `lease_ttl` seconds.
    """

    def __init__(self, store: Store, worker: str, lease_ttl: float, *, block: float = BLOCK) -> None:
        self._store = store
        self._worker = worker
        self._idle_ms = int(lease_ttl * 1000)
        self._streams = [keys.own_stream(worker), keys.shared_stream()]
        self._block = block
        self._reader = store.open_blocking(block)
        self._seen: dict[str, str | bytes] = dict.fromkeys(self._streams, "0")
        self._next_look = 0.0

    async def __aenter__(self) -> "Schedule":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Return entries that were read and not claimed; while Redis is away other workers find them by themselves."""
        await self._reader.close()
        with contextlib.suppress(StoreUnavailableError):
            for entry in await self._read_unclaimed():
                await self.give_back(entry)

    async def prepare(self) -> None:
        """Create the streams' groups where they are missing: at the start, and after Redis lost its data."""
        await self._store.run("prepare", keys.shared_stream(), keys.prefix(), keys.GROUP, self._worker)

    async def read(self, count: int) -> list[ScheduleEntry]:
        """Read up to `count` entries of each stream, own ones first; none after about a second without any."""
        try:
            streams = await self._take_abandoned(count) or await self._read(count)
        except StoreUnavailableError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.prepare()
            return []
        return _entries(streams)

    async def _take_abandoned(self, count: int) -> _Streams:
        """Take entries that a reader left: it died, or the reply to its read was lost. Checks now and then."""
        now = asyncio.get_running_loop().time()
        if now < self._next_look:
            return []
        streams = []
        for stream in self._streams:
            _, entries, *_ = await self._store.execute(
                "XAUTOCLAIM", stream, keys.GROUP, self._worker, self._idle_ms, "0", "COUNT", count
            )
            streams.append((stream.encode(), entries))
        if not any(entries for _, entries in streams):
            self._next_look = now + _LOOK_EVERY
        return [(stream, entries) for stream, entries in streams if entries]

    async def _read_unclaimed(self) -> list[ScheduleEntry]:
        """Return the shared entries that this worker has read and not claimed, a hundred at most."""
        stream = keys.shared_stream()
        streams = await self._store.execute(
            "XREADGROUP", "GROUP", keys.GROUP, self._worker, "COUNT", 100, "STREAMS", stream, "0"
        )
        return _entries(streams or [])

    async def _read(self, count: int) -> _Streams:
        waiting: list[Argument] = ["COUNT", count, "BLOCK", int(self._block * 1000), "STREAMS", *self._streams]
        new = [">"] * len(self._streams)
        streams = await self._reader.execute("XREADGROUP", "GROUP", keys.GROUP, self._worker, *waiting, *new)
        if not streams and self._store.in_memory:
            # fakeredis doesn't wait in XREADGROUP; in XREAD it does, here for an entry newer than the last one read.
            await self._reader.execute("XREAD", *waiting, *self._seen.values())
        self._seen.update((stream.decode(), entries[-1][0]) for stream, entries in streams or [])
        return list(streams or [])

    async def give_back(self, entry: ScheduleEntry) -> None:
        """Return an entry that this worker has no room for to the end of the shared stream."""
        await self._store.run(
            "give_back", keys.shared_stream(), keys.prefix(), keys.GROUP, entry.stream, entry.id, entry.token
        )


def _entries(streams: _Streams) -> list[ScheduleEntry]:
    # A pending entry that was deleted meanwhile has no fields.
    return [
        ScheduleEntry(stream.decode(), id_.decode(), fields[1].decode(), secrets.token_hex(4))
        for stream, entries in streams
        for id_, fields in entries
        if fields
    ]
