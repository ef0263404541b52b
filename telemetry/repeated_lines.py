"""Libraries' warnings that come again and again: a client that causes one with each request can't fill the log."""

import logging
import time
from collections.abc import Callable

# The seconds between two lines of one kind, and how many kinds are known at most.
_PAUSE = 60.0
_MOST_KINDS = 1000


class RepeatedLines(logging.Filter):
    """Drops a warning that came less than a minute ago, and counts it; the next line has how many were dropped."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        # When the next line of a kind may come, and how many were dropped.
        self._kinds: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See logging.Filter. What differs in its arguments alone is of one kind."""
        if record.levelno != logging.WARNING:
            return True
        kind, now = (record.name, str(record.msg)), self._clock()
        due, dropped = self._kinds.get(kind, (now, 0))
        if now < due:
            self._kinds[kind] = due, dropped + 1
            return False
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
        self._kinds[kind] = now + _PAUSE, 0
        if dropped:
            record.msg, record.args = f"{record.getMessage()} ({dropped} more since the last line)", None
        return True
