"""What a turn's end means for its account."""

import pytest

from wire.reasons import Reason
from worker.accounts.penalties import NO_PENALTY, Penalty, penalty_for
from worker.errors import UpstreamError

DAY = 24 * 3600


@pytest.mark.parametrize(
    ("reason", "sent", "expected"),
    [
        (Reason.ACCOUNT_THROTTLED, True, Penalty("cooling", "account.throttled", DAY)),
        (Reason.ACCOUNT_CAPTCHA, True, Penalty("quarantined", "account.captcha")),
        (Reason.ACCOUNT_UNAUTHORIZED, False, Penalty("dead", "account.unauthorized")),
        (Reason.ACCOUNT_UNAUTHORIZED, True, Penalty("trouble", "account.unauthorized", 1)),
        (Reason.TRANSPORT_CONNECT, False, Penalty("trouble", "transport.connect", 1)),
        (Reason.TRANSPORT_CLOSED, True, Penalty("trouble", "transport.closed", 1)),
        (Reason.TIMEOUT_CONNECT, False, Penalty("trouble", "timeout.connect", 1)),
        (Reason.TIMEOUT_FIRST, True, Penalty("internal", "timeout.first", 10)),
        (Reason.UPSTREAM_INTERNAL, True, Penalty("internal", "upstream.internal", 10)),
        (Reason.UPSTREAM_PROTOCOL, False, Penalty("internal", "upstream.protocol", 10)),
    ],
)
def test_each_failure_has_its_consequence(reason: Reason, sent: bool, expected: Penalty) -> None:
    assert penalty_for(UpstreamError(reason), sent=sent) == expected


def test_the_time_that_the_upstream_sends_counts() -> None:
    error = UpstreamError(Reason.ACCOUNT_THROTTLED, retry_after=90)
    assert penalty_for(error, sent=False) == Penalty("cooling", "account.throttled", 90)


@pytest.mark.parametrize("reason", sorted(Reason))
def test_what_is_not_the_accounts_fault_says_nothing_of_it(reason: Reason) -> None:
    spoken = ("account.", "transport.", "upstream.", "timeout.connect", "timeout.first")
    if reason == "account.none" or not reason.startswith(spoken):
        assert penalty_for(UpstreamError(reason), sent=True) == NO_PENALTY
