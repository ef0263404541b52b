"""One pair of eyes for all consoles of this gateway: it looks at Redis as long as anybody looks at it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import structlog

from gateway.console.snapshot import build_snapshot
from wire.audit_log import AuditEvent, AuditLog
from wire.errors import StoreUnavailableError
from wire.ledger import Ledger
from wire.overview import Overview
from wire.reporter import HOURS

_EVERY = 2.0
_ANSWERS = 200
_WAITING = 50
_EVENTS = 200
# Those minutes may still be added to.
_OPEN_MINUTES = 3
_LOG = structlog.get_logger()

MinuteCounts = dict[int, dict[str, int]]


@dataclass
class ConsoleSnapshot:
    """What was seen last: the picture as JSON at Redis's time `now` (ms), each minute's counts, and what happened.

    `events` begin with the oldest. `away`: Redis could not be asked since.
    """

    state: bytes = b""
    now: int = 0
    minutes: MinuteCounts = field(default_factory=dict)
    events: deque[AuditEvent] = field(default_factory=lambda: deque(maxlen=_EVENTS))
    away: bool = False


class Poller:
    """Looks every 2 s while there are watchers, who are rung then."""

    def __init__(self, overview: Overview, ledger: Ledger, journal: AuditLog) -> None:
        self.seen = ConsoleSnapshot()
        self._overview = overview
        self._ledger = ledger
        self._journal = journal
        self._bells: set[asyncio.Event] = set()
        self._soon = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    @property
    def watchers(self) -> int:
        """How many there are."""
        return len(self._bells)

    def look_soon(self) -> None:
        """Something has just been changed."""
        self._soon.set()

    @contextmanager
    def watching(self, bell: asyncio.Event) -> Iterator[None]:
        """Set `bell` whenever there is something new to see, during the body. The last watcher ends the looking."""
        self._bells.add(bell)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_for_ever())
        if self.seen.state:
            bell.set()
        try:
            yield
        finally:
            self._bells.discard(bell)
            if not self._bells:
                self._looking.cancel()
                self._looking, self.seen = None, ConsoleSnapshot()

    async def _look_for_ever(self) -> None:
        while True:
            try:
                await self._look()
                self.seen.away = False
            except StoreUnavailableError:
                self.seen.away = True
            except Exception:  # noqa: BLE001 - a fault in what is shown must not leave the consoles in the dark
                _LOG.exception("the console's look failed")
                self.seen.away = True
            for bell in self._bells:
                bell.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await self._soon.wait()
            self._soon.clear()

    async def _look(self) -> None:
        seen, overview = self.seen, self._overview
        queue = await overview.read_queue(_WAITING)
        processes, standings = await overview.read_processes(), await self._ledger.read_statuses()
        running = [answer for one in processes for answer, _ in one.load.running][:_ANSWERS]
        jobs = await overview.read_jobs(list(dict.fromkeys([*running, *queue.first_answers]))[:_ANSWERS])
        events = await self._journal.read_latest(_EVENTS, after=seen.events[-1].id if seen.events else "")
        seen.minutes = await self._minutes(queue.now // 60_000)
        seen.events.extend(reversed(events))
        seen.state, seen.now = msgspec.json.encode(build_snapshot(standings, processes, queue, jobs)), queue.now

    async def _minutes(self, now: int) -> MinuteCounts:
        """The last hours' counts: all of them the first time, then only those that may have changed."""
        oldest, known = now - HOURS * 60, self.seen.minutes
        begin = max(oldest, max(known) - _OPEN_MINUTES) if known else oldest
        fresh = await self._overview.read_counts(range(begin, now + 1))
        kept = {minute: counts for minute, counts in known.items() if oldest <= minute < begin}
        return kept | fresh
