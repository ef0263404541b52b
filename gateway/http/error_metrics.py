"""What clients were told instead of an answer: each refusal is counted by its reason, and stands in the log."""

from collections import Counter

import structlog

from gateway.errors import UNKNOWN, Problem

# Reasons that speak of the service, not of its clients. They are there from the start: Prometheus sees no growth in a
# series that appears with its first count.
_FOR_LACK = ("queue.full", "client.limit", "store.unavailable")
_LOG = structlog.get_logger()


class ErrorMetrics:
    """The refusals of one application. Endpoints find it in `request.state.refusals`.

    `counts` has the reasons of the errors' table and, where that has none, `code.` with the code: a few dozen at most.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(_FOR_LACK, 0))

    def note(self, problem: Problem) -> None:
        """A client is told `problem`."""
        reason = problem.reason
        if reason == UNKNOWN.reason and problem.code != UNKNOWN.code:
            reason = f"code.{problem.code}"
        self.counts[reason] += 1
        _LOG.info("refused", code=problem.code, reason=reason)
