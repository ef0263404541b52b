"""Counts of the errors that clients got instead of an answer, by reason; each one is logged too."""

from collections import Counter

import structlog

from gateway.errors import EXPORT_REASONS, STATUS_REASONS, Problem, problem_of
from wire.reasons import Reason

# The service's own reasons. They exist from the start: Prometheus sees no growth in a series that appears with its
# first count.
_SERVICE_REASONS = (
    Reason.QUEUE_FULL,
    Reason.CLIENT_LIMIT,
    Reason.CLIENT_BYTES,
    Reason.CLIENT_DAILY,
    Reason.STORE_FULL,
    Reason.STORE_UNAVAILABLE,
)
# Reasons that are counted by their code, as they were before they had names: dashboards and alerts have the labels.
_BY_CODE = frozenset({*STATUS_REASONS.values(), Reason.REQUEST_KEYWORD, *EXPORT_REASONS})
_LOG = structlog.get_logger()


class ErrorMetrics:
    """The error counts of one application. Endpoints find it in `request.state.error_metrics`.

    `counts` has the reasons of the errors' table and, where that has none, `code.` with the code: a few dozen at most.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(_SERVICE_REASONS, 0))

    def record(self, error: Exception, english: bool = False, **context: str) -> Problem:
        """Count an error and return what the client gets; log the cause of one that nobody expects."""
        problem = problem_of(error, english)
        if problem.reason == Reason.INTERNAL:
            _LOG.error("request failed", exc_info=error, **context)
        self.count(problem)
        return problem

    def count(self, problem: Problem) -> None:
        """Count and log an error that a client gets."""
        reason = problem.reason
        if reason in _BY_CODE or (reason == Reason.INTERNAL and problem.code != 500):
            reason = f"code.{problem.code}"
        self.counts[reason] += 1
        _LOG.info("refused", code=problem.code, reason=reason)
