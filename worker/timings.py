"""Times that no setting changes."""

from dataclasses import dataclass

from wire.reporter import REPORT_INTERVAL
from wire.schedule import BLOCK
from worker.accounts.pool import REFRESH_INTERVAL


@dataclass(frozen=True)
class WorkerTimings:
    """All in seconds.

    block: how long a read waits for work. report_interval: between two status reports. look_every: between two looks
    for alerts, and for exports that were handed in. refresh_every: between two looks at the accounts' states.
    last_words: for what a worker writes as it ends. ends_repeated: how long before Redis was last heard an end was
    written that is reported once more.
    """

    block: float = BLOCK
    report_interval: float = REPORT_INTERVAL
    look_every: float = 2.0
    refresh_every: float = REFRESH_INTERVAL
    last_words: float = 5.0
    ends_repeated: float = 5.0


TIMINGS = WorkerTimings()
