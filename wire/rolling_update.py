"""For the rolling update from 0.1, whose processes know only work inside its job. To be removed with the next one."""

import asyncio

import msgspec

from wire import keys
from wire.redis.errors import translate_errors
from wire.redis.store import Store
from wire.reporter import ProcessLoad

# Seconds for which what was seen counts.
_FRESH = 1.0
_GONE = (b"gone", b"dead")


class OutdatedProcesses:
    """Whether gateways or workers run that read a job's work only inside the job, and know no prompts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._until = float("-inf")
        self._seen: frozenset[str] = frozenset()

    async def are_there(self) -> bool:
        """Return whether there are any, as of the last second. StoreUnavailableError."""
        return bool(await self._names())

    async def are_workers_there(self) -> bool:
        """Return whether there are workers among them, as of the last second. StoreUnavailableError."""
        return any(name.startswith("worker:") for name in await self._names())

    async def _names(self) -> frozenset[str]:
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self._seen = await self._look()
            self._until = now + _FRESH
        return self._seen

    async def _look(self) -> frozenset[str]:
        with translate_errors():
            async with self._store.commands.pipeline(transaction=False) as pipe:
                pipe.hgetall(keys.processes_key())
                pipe.hgetall(keys.facts_key())
                states, loads = await pipe.execute()
        living = [name for name, state in states.items() if not state.endswith(_GONE)]
        return frozenset(name.decode() for name in living if not _reads_apart(loads.get(name, b"")))


def _reads_apart(facts: bytes) -> bool:
    try:
        return msgspec.json.decode(facts, type=ProcessLoad).apart
    except msgspec.DecodeError:
        return False
