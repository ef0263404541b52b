"""What a worker says of itself, for the operator's console: its load, its turns' ends, and how many slots were free."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wire.messages import Chat
from wire.redis.store import Store
from wire.reporter import REPORT_INTERVAL, ProcessLoad, Reporter

if TYPE_CHECKING:
    from worker.worker import Worker

# The console shows no more than that of all workers together.
_MOST_RUNNING = 200


class _WorkerCounters:
    """A worker's counters. Slots are added up over time, in slot-milliseconds, so that all workers' make one sum."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._slots: Counter[str] = Counter()
        self._at = asyncio.get_running_loop().time()

    def __call__(self) -> Mapping[str, int]:
        worker, now = self._worker, asyncio.get_running_loop().time()
        passed, self._at = int((now - self._at) * 1000), now
        used = min(worker.slots_used, worker.slots)
        self._slots["slots:used"] += used * passed
        self._slots["slots:free"] += 0 if worker.draining else (worker.slots - used) * passed
        ends: Counter[str] = Counter()
        for (_, outcome, reason), count in worker.turn_counts.items():
            ends[f"failed:{reason}" if outcome == "failed" else outcome] += count
        return self._slots + ends


def status_reporter(worker: "Worker", store: Store, interval: float = REPORT_INTERVAL) -> Reporter:
    """Who speaks for the worker."""

    def load() -> ProcessLoad:
        running = tuple(
            (task.answer, "chat" if isinstance(task.work, Chat) else "image")
            for task in worker.running_jobs[:_MOST_RUNNING]
        )
        return ProcessLoad(slots=worker.slots, used=worker.slots_used, running=running)

    counters = _WorkerCounters(worker)
    return Reporter(store, "worker", worker.id, load, counters, lambda: worker.draining, interval=interval)
