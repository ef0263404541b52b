"""What a turn's end means for its account."""

import pytest

from wire.reasons import Reason
from worker.accounts.penalties import NO_PENALTY, Penalty, penalty_for
from worker.errors import UpstreamError

DAY = 24 * 3600


@pytest.mark.parametrize(
    ("reason", "sent", "expected"),
    [
        ("account.throttled", True, Penalty("cooling", "account.throttled", DAY)),
        ("account.captcha", True, Penalty("quarantined", "account.captcha")),
        ("account.unauthorized", False, Penalty("dead", "account.unauthorized")),
        ("account.unauthorized", True, Penalty("trouble", "account.unauthorized", 1)),
        ("transport.connect", False, Penalty("trouble", "transport.connect", 1)),
        ("transport.closed", True, Penalty("trouble", "transport.closed", 1)),
        ("timeout.connect", False, Penalty("trouble", "timeout.connect", 1)),
        ("timeout.first", True, Penalty("internal", "timeout.first", 10)),
        ("upstream.internal", True, Penalty("internal", "upstream.internal", 10)),
        ("upstream.protocol", False, Penalty("internal", "upstream.protocol", 10)),
    ],
)
def test_each_failure_has_its_consequence(reason: str, sent: bool, expected: Penalty) -> None:
    assert penalty_for(UpstreamError(reason), sent=sent) == expected


def test_the_time_that_the_upstream_tells_counts() -> None:
    error = UpstreamError("account.throttled", retry_after=90)
    assert penalty_for(error, sent=False) == Penalty("cooling", "account.throttled", 90)


@pytest.mark.parametrize("reason", sorted(Reason))
def test_what_is_not_the_accounts_fault_says_nothing_of_it(reason: str) -> None:
    spoken = ("account.", "transport.", "upstream.", "timeout.connect", "timeout.first")
    if reason == "account.none" or not reason.startswith(spoken):
        assert penalty_for(UpstreamError(reason), sent=True) == NO_PENALTY
