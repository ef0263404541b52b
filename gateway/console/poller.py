"""Reads the state of the system for all consoles of this gateway, as long as one of them is open."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import structlog

from gateway.answering.timings import TIMINGS
from gateway.console.snapshot import build_snapshot
from wire.audit_log import AuditEvent, AuditLog
from wire.errors import StoreUnavailableError
from wire.ledger import Ledger
from wire.overview import Overview
from wire.reporter import HOURS
from wire.store_memory import StoreMemory

_MAX_ANSWERS = 200
_MAX_WAITING = 50
_MAX_EVENTS = 200
# The counts of the last minutes may still grow.
_OPEN_MINUTES = 3
_LOG = structlog.get_logger()

MinuteCounts = dict[int, dict[str, int]]


@dataclass
class ConsoleSnapshot:
    """What was read last: the state as JSON at Redis's time `now` (ms), the counts of each minute, and audit events.

    `events` begin with the oldest. `away`: Redis could not be read since, for these `reasons` where they are known.
    """

    state: bytes = b""
    now: int = 0
    minutes: MinuteCounts = field(default_factory=dict)
    events: deque[AuditEvent] = field(default_factory=lambda: deque(maxlen=_MAX_EVENTS))
    away: bool = False
    reasons: list[str] = field(default_factory=list)


class Poller:
    """Reads Redis every `poll_every` seconds while there are subscribers, and notifies them."""

    def __init__(
        self,
        overview: Overview,
        ledger: Ledger,
        audit_log: AuditLog,
        memory: StoreMemory,
        *,
        poll_every: float = TIMINGS.console_poll_every,
    ) -> None:
        self.snapshot = ConsoleSnapshot()
        self._overview = overview
        self._ledger = ledger
        self._audit_log = audit_log
        self._memory = memory
        self._poll_every = poll_every
        self._subscribers: set[asyncio.Event] = set()
        self._soon = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    @property
    def subscribers(self) -> int:
        """The number of subscribers."""
        return len(self._subscribers)

    def poll_soon(self) -> None:
        """Read without waiting for the rest of the pause, after something was changed."""
        self._soon.set()

    @contextmanager
    def subscribe(self, changed: asyncio.Event) -> Iterator[None]:
        """Set `changed` after each read during the body. The last subscriber ends the polling."""
        self._subscribers.add(changed)
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll_forever())
        if self.snapshot.state:
            changed.set()
        try:
            yield
        finally:
            self._subscribers.discard(changed)
            if not self._subscribers:
                self._polling.cancel()
                self._polling, self.snapshot = None, ConsoleSnapshot()

    async def _poll_forever(self) -> None:
        while True:
            try:
                await self._poll()
                self.snapshot.away = False
            except StoreUnavailableError:
                self.snapshot.away = True
                self.snapshot.reasons = self._overview.list_failures()
            except Exception:  # noqa: BLE001 - a fault in what is shown must not end the consoles' updates
                _LOG.exception("console poll failed")
                self.snapshot.away = True
            for changed in self._subscribers:
                changed.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_every):
                    await self._soon.wait()
            self._soon.clear()

    async def _poll(self) -> None:
        snapshot, overview = self.snapshot, self._overview
        queue = await overview.read_queue(_MAX_WAITING)
        processes, accounts = await overview.read_processes(), await self._ledger.read_statuses()
        running = [answer for process in processes for answer, _ in process.load.running][:_MAX_ANSWERS]
        jobs = await overview.read_jobs(list(dict.fromkeys([*running, *queue.first_answers]))[:_MAX_ANSWERS])
        latest = snapshot.events[-1].id if snapshot.events else ""
        events = await self._audit_log.read_latest(_MAX_EVENTS, after=latest)
        snapshot.minutes = await self._read_minutes(queue.now // 60_000)
        snapshot.events.extend(reversed(events))
        share = (await self._memory.read()).share
        models = await self._ledger.read_models()
        risks = overview.list_risks()
        snapshot.state = msgspec.json.encode(build_snapshot(accounts, processes, queue, jobs, share, models, risks))
        snapshot.now = queue.now

    async def _read_minutes(self, now: int) -> MinuteCounts:
        """Return the counts of the last hours: all are read the first time, then only those that may have changed."""
        oldest, known = now - HOURS * 60, self.snapshot.minutes
        first = max(oldest, max(known) - _OPEN_MINUTES) if known else oldest
        fresh = await self._overview.read_counts(range(first, now + 1))
        unchanged = {minute: counts for minute, counts in known.items() if oldest <= minute < first}
        return unchanged | fresh
