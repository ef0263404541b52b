"""For the rolling update from 0.1, whose processes know only work inside its job, and 0.2, whose workers know no calls.

Workers of both read streams of their own, and know nothing of the ring. Processes of both look for an answer's seq in
its job, and don't close its log.

To be removed with the next one.
"""

import asyncio
from collections.abc import Callable

import msgspec

from wire import keys
from wire.errors import StoreUnavailableError
from wire.redis.replies import hash_fields
from wire.redis.store import Store
from wire.reporter import REPORT_INTERVAL, ProcessLoad
from wire.shared_read import SharedRead

# Seconds for which what was seen counts.
_FRESH = 1.0
_GONE = (b"gone", b"dead")


class OutdatedProcesses:
    """Whether gateways or workers run that read a job's work only inside the job, and know no prompts, or no calls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loads = SharedRead(self._look)

    async def are_there(self) -> bool:
        """Return whether there are any, as of the last second. StoreUnavailableError."""
        return any(not load.apart for load in (await self._loads.read(_FRESH)).values())

    async def are_workers_there(self) -> bool:
        """Return whether there are workers among them, as of the last second. StoreUnavailableError."""
        return any(not load.apart for load in await self._workers())

    async def are_workers_without_calls(self) -> bool:
        """Return whether there are workers that know no calls, as of the last second. StoreUnavailableError."""
        return any(not load.calls for load in await self._workers())

    async def are_workers_without_ring(self) -> bool:
        """Return whether there are workers that read streams, as of the last second. StoreUnavailableError."""
        return any(not load.ring for load in await self._workers())

    async def watch_logs(self, allow: Callable[[bool], None]) -> None:
        """Call `allow` again and again, until cancelled, with whether all processes close logs. False if unknown."""
        while True:
            try:
                loads = await self._loads.read(_FRESH)
            except StoreUnavailableError:
                allow(False)
            else:
                allow(all(load.closes for load in loads.values()))
            await asyncio.sleep(REPORT_INTERVAL)

    async def _workers(self) -> list[ProcessLoad]:
        return [load for name, load in (await self._loads.read(_FRESH)).items() if name.startswith("worker:")]

    async def close(self) -> None:
        """End a look that is still running."""
        await self._loads.close()

    async def _look(self) -> dict[str, ProcessLoad]:
        # As one: who leaves between two reads would look like a process that reports no facts.
        replies = await self._store.transact(("HGETALL", keys.processes_key()), ("HGETALL", keys.facts_key()))
        states, loads = map(hash_fields, replies)
        living = [name for name, state in states.items() if not state.endswith(_GONE)]
        return {name.decode(): _decode(loads.get(name, b"")) for name in living}


def _decode(facts: bytes) -> ProcessLoad:
    try:
        return msgspec.json.decode(facts, type=ProcessLoad)
    except msgspec.DecodeError:
        return ProcessLoad()
