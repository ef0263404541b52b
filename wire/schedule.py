"""The schedule: streams that say which tokens have work."""

from types import TracebackType
from typing import Any

from redis.exceptions import ResponseError

from wire import keys
from wire.connect import Store, translated
from wire.sessions import Entry

# How long one read waits for work, in seconds.
_BLOCK = 1.0


class Schedule:
    """A worker's reader of the shared stream and of its own. May raise StoreUnavailableError throughout."""

    def __init__(self, store: Store, worker: str) -> None:
        self._store = store
        self._worker = worker
        self._streams = [keys.own_stream(worker), keys.shared_stream()]
        self._client = store.blocking(_BLOCK)

    async def __aenter__(self) -> "Schedule":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def prepare(self) -> None:
        """Make the streams' groups where they are missing: at the start, and after Redis lost its data."""
        with translated():
            for stream in self._streams:
                try:
                    await self._store.commands.xgroup_create(stream, keys.GROUP, id="0", mkstream=True)
                except ResponseError as error:
                    if not str(error).startswith("BUSYGROUP"):
                        raise

    async def read(self, count: int) -> list[Entry]:
        """Up to `count` entries of each stream, own ones first; empty after about a second without any."""
        with translated():
            try:
                found = await self._read(count)
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                await self.prepare()
                return []
        return [
            Entry(stream.decode(), entry.decode(), fields[b"t"].decode())
            for stream, entries in found
            for entry, fields in entries
        ]

    async def _read(self, count: int) -> list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]:
        wanted: dict[Any, Any] = dict.fromkeys(self._streams, ">")
        block = int(_BLOCK * 1000)
        found: Any = await self._client.xreadgroup(keys.GROUP, self._worker, wanted, count=count, block=block)
        if not found and self._store.in_memory:
            # fakeredis doesn't wait in XREADGROUP; XREAD it does, and entries are deleted once claimed.
            wanted = dict.fromkeys(self._streams, "0")
            await self._client.xread(wanted, count=1, block=block)
        return list(found or [])

    async def give_back(self, entry: Entry) -> None:
        """Put an entry that this worker has no room for where another finds it, last in the line."""
        with translated():
            async with self._store.commands.pipeline(transaction=True) as pipe:
                pipe.xadd(keys.shared_stream(), {"t": entry.token})
                pipe.xack(entry.stream, keys.GROUP, entry.id)
                pipe.xdel(entry.stream, entry.id)
                await pipe.execute()
