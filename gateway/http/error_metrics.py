"""Counts of the errors that clients got instead of an answer, by reason; each one is logged too."""

from collections import Counter

import structlog

from gateway.errors import UNKNOWN, Problem

# The service's own reasons. They exist from the start: Prometheus sees no growth in a series that appears with its
# first count.
_SERVICE_REASONS = ("queue.full", "client.limit", "store.unavailable")
_LOG = structlog.get_logger()


class ErrorMetrics:
    """The error counts of one application. Endpoints find it in `request.state.error_metrics`.

    `counts` has the reasons of the errors' table and, where that has none, `code.` with the code: a few dozen at most.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(_SERVICE_REASONS, 0))

    def count(self, problem: Problem) -> None:
        """Count and log an error that a client gets."""
        reason = problem.reason
        if reason == UNKNOWN.reason and problem.code != UNKNOWN.code:
            reason = f"code.{problem.code}"
        self.counts[reason] += 1
        _LOG.info("refused", code=problem.code, reason=reason)
