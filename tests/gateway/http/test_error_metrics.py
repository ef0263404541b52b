"""Refusals by their reason."""

import pytest
from structlog.testing import capture_logs

from gateway.errors import DrainingError, Problem, problem_for
from gateway.http.error_metrics import ErrorMetrics
from wire.reasons import Reason


def test_what_is_for_lack_of_room_is_there_before_it_happens() -> None:
    assert ErrorMetrics().counts == dict.fromkeys(
        ["queue.full", "client.limit", "client.bytes", "client.daily", "store.full", "store.unavailable"], 0
    )


def test_each_reason_is_counted_and_logged() -> None:
    refusals = ErrorMetrics()
    with capture_logs() as logs:
        refusals.count(Problem(503, "full", 2, "queue.full"))
        refusals.count(Problem(503, "full", 2, "queue.full"))
    assert refusals.counts["queue.full"] == 2
    assert [(line["event"], line["code"], line["reason"]) for line in logs] == [("refused", 503, "queue.full")] * 2


def test_an_error_without_a_reason_is_counted_by_its_code() -> None:
    refusals = ErrorMetrics()
    refusals.count(Problem(400, "none"))
    refusals.count(problem_for(Reason.INTERNAL))
    assert refusals.counts["code.400"] == refusals.counts["internal"] == 1


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        (Reason.REQUEST_UNAUTHORIZED, "code.401"),
        (Reason.REQUEST_PATH, "code.404"),
        (Reason.REQUEST_METHOD, "code.405"),
        (Reason.REQUEST_SLOW, "code.408"),
        (Reason.REQUEST_TOO_LARGE, "code.413"),
        (Reason.REQUEST_RATE, "code.429"),
        (Reason.REQUEST_KEYWORD, "code.110"),
        (Reason.EXPORT_NAME, "code.400"),
        (Reason.ANSWER_UNKNOWN, "answer.unknown"),
    ],
)
def test_labels_of_dashboards_stay(reason: Reason, label: str) -> None:
    refusals = ErrorMetrics()
    refusals.count(problem_for(reason))
    assert refusals.counts[label] == 1


def test_the_cause_of_an_error_is_logged_only_if_nobody_expects_it() -> None:
    refusals = ErrorMetrics()
    with capture_logs() as logs:
        expected = refusals.record(DrainingError(), english=True)
        unexpected = refusals.record(ZeroDivisionError(), answer="s0-a")
    assert (expected.reason, expected.message) == ("gateway.draining", "The service is busy, come back later")
    assert (unexpected.reason, unexpected.message) == ("internal", "未知错误")
    assert [line["answer"] for line in logs if line["event"] == "request failed"] == ["s0-a"]
    assert refusals.counts["gateway.draining"] == refusals.counts["internal"] == 1
