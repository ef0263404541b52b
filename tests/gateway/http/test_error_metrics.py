"""Refusals by their reason."""

from structlog.testing import capture_logs

from gateway.errors import UNKNOWN, Problem
from gateway.http.error_metrics import ErrorMetrics


def test_what_is_for_lack_of_room_is_there_before_it_happens() -> None:
    assert ErrorMetrics().counts == {"queue.full": 0, "client.limit": 0, "store.unavailable": 0}


def test_each_reason_is_counted_and_logged() -> None:
    refusals = ErrorMetrics()
    with capture_logs() as logs:
        refusals.count(Problem(503, "full", 2, "queue.full"))
        refusals.count(Problem(503, "full", 2, "queue.full"))
    assert refusals.counts["queue.full"] == 2
    assert [(line["event"], line["code"], line["reason"]) for line in logs] == [("refused", 503, "queue.full")] * 2


def test_an_error_without_a_reason_is_counted_by_its_code() -> None:
    refusals = ErrorMetrics()
    refusals.count(Problem(404, "none"))
    refusals.count(UNKNOWN)
    assert refusals.counts["code.404"] == refusals.counts[UNKNOWN.reason] == 1
