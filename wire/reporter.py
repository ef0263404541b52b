"""Status reports of gateways and workers, for people to look at: their load, and what they have counted.

Nothing depends on them: heartbeats decide which workers are dead and which leases hold.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from wire import keys
from wire.errors import StoreUnavailableError
from wire.ledger import PICTURES
from wire.redis.store import Store
from wire.scripts import encode_arguments
from wire.version import VERSION

ProcessKind = Literal["gateway", "worker"]
REPORT_INTERVAL = 2.0
# Seconds without a report after which a process counts as dead, and for which it is then shown.
SILENCE = 8.0
_SHOWN = 600.0
# For how long counts are kept, in hours and in seconds.
HOURS = 6
_MINUTE_TTL = HOURS * 3600 + 600


class ProcessLoad(msgspec.Struct, frozen=True, omit_defaults=True):
    """A process's load. A gateway has `turns` and `sockets`; a worker `slots`, `used`, and what it is `running`.

    `version` is '' where it isn't known. `running` holds the ids and kinds (chat, image, call) of answers. `apart`: the
    process reads work beside its job; `calls`: it knows calls; `ring`: it takes turns from the ring; `closes`: it
    closes the logs of answers that have ended; see wire.rolling_update.
    """

    version: str = ""
    turns: int = 0
    sockets: int = 0
    slots: int = 0
    used: int = 0
    running: tuple[tuple[str, str], ...] = ()
    apart: bool = False
    calls: bool = False
    ring: bool = False
    closes: bool = False


class Reporter:
    """Reporter of one process's status, every `interval` in seconds.

    `counted` returns counters that only grow; each report adds their growth.
    """

    def __init__(
        self,
        store: Store,
        kind: ProcessKind,
        name: str,
        load: Callable[[], ProcessLoad],
        counted: Callable[[], Mapping[str, int]],
        draining: Callable[[], bool],
        *,
        interval: float = REPORT_INTERVAL,
    ) -> None:
        self._store = store
        self._process = f"{kind}:{name}"
        self._load = load
        self._counted = counted
        self._draining = draining
        self._interval = interval
        self._number = 0
        self._confirmed: Counter[str] = Counter()
        # What was sent and not confirmed: it is sent again under the same number, so that it is counted once.
        self._sending: Counter[str] | None = None
        self._lock = asyncio.Lock()
        self._left = False

    async def run(self) -> None:
        """Report until cancelled; while Redis is away the counts wait."""
        while True:
            with contextlib.suppress(StoreUnavailableError):
                await self.report()
            await asyncio.sleep(self._interval)

    def _versioned_load(self) -> ProcessLoad:
        load = self._load()
        return load if load.version else msgspec.structs.replace(load, version=VERSION)

    async def report(self) -> None:
        """Report once. StoreUnavailableError."""
        async with self._lock:
            if self._left:
                return
            if self._sending is None:
                self._number += 1
                self._sending = Counter(self._counted()) - self._confirmed
            await self._send("draining" if self._draining() else "up", self._sending)
            self._confirmed += self._sending
            self._sending = None

    async def leave(self) -> None:
        """Report the last counts, and that the process ends; nothing is reported after that. StoreUnavailableError."""
        await self.report()
        async with self._lock:
            self._left = True
            self._number += 1
            await self._send("gone", {})

    async def _send(self, state: str, counts: Mapping[str, int]) -> None:
        await self._store.run(
            "report",
            keys.processes_key(),
            keys.prefix(keys.LEDGER),
            encode_arguments(
                process=self._process,
                number=str(self._number),
                state=state,
                silence=int(SILENCE * 1000),
                shown=int(_SHOWN * 1000),
                minute_ttl=_MINUTE_TTL,
                excluded=PICTURES,
                counts=dict(counts),
            ),
            msgspec.json.encode(self._versioned_load()),
        )
