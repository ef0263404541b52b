"""A worker's status for the operator's console: its load, the ends of its turns, and its free slots over time."""

import asyncio
from collections import Counter
from collections.abc import Mapping

from wire.about import Kind
from wire.messages import Call, Chat, Work
from wire.redis.store import Store
from wire.reporter import REPORT_INTERVAL, ProcessLoad, Reporter
from worker.worker import Worker

# The console shows no more than that of all workers together.
_MAX_RUNNING = 200


class _WorkerCounters:
    """A worker's counters. Slots are counted in slot-milliseconds, so that the counts of all workers add up."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._slots: Counter[str] = Counter()
        self._last_count = asyncio.get_running_loop().time()

    def __call__(self) -> Mapping[str, int]:
        worker, now = self._worker, asyncio.get_running_loop().time()
        passed, self._last_count = int((now - self._last_count) * 1000), now
        used = min(worker.slots_used, worker.slots)
        self._slots["slots:used"] += used * passed
        self._slots["slots:free"] += 0 if worker.draining else (worker.slots - used) * passed
        outcomes: Counter[str] = Counter()
        for (_, outcome, reason), count in worker.turn_counts.items():
            outcomes[f"failed:{reason}" if outcome == "failed" else outcome] += count
        return self._slots + outcomes + worker.token_tally.totals


def status_reporter(worker: Worker, store: Store, interval: float = REPORT_INTERVAL) -> Reporter:
    """Return what reports the worker's status every `interval` seconds."""

    def load() -> ProcessLoad:
        running = tuple((job.answer, _kind(job.work)) for job in worker.running_jobs[:_MAX_RUNNING])
        return ProcessLoad(
            slots=worker.slots,
            used=worker.slots_used,
            running=running,
            apart=True,
            calls=True,
            ring=True,
            closes=True,
        )

    counters = _WorkerCounters(worker)
    return Reporter(store, "worker", worker.id, load, counters, lambda: worker.draining, interval=interval)


def _kind(work: Work) -> Kind:
    if isinstance(work, Chat):
        return "chat"
    return "call" if isinstance(work, Call) else "image"
