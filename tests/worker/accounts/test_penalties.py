"""What a turn's end means for its account."""

import pytest

from worker.accounts.penalties import NONE, Consequence, consequence
from worker.errors import REASONS, UpstreamError

DAY = 24 * 3600


@pytest.mark.parametrize(
    ("reason", "sent", "expected"),
    [
        ("account.throttled", True, Consequence("cooling", "account.throttled", DAY)),
        ("account.captcha", True, Consequence("quarantined", "account.captcha")),
        ("account.unauthorized", False, Consequence("dead", "account.unauthorized")),
        ("account.unauthorized", True, Consequence("trouble", "account.unauthorized", 1)),
        ("transport.connect", False, Consequence("trouble", "transport.connect", 1)),
        ("transport.closed", True, Consequence("trouble", "transport.closed", 1)),
        ("timeout.connect", False, Consequence("trouble", "timeout.connect", 1)),
        ("timeout.first", True, Consequence("internal", "timeout.first", 10)),
        ("upstream.internal", True, Consequence("internal", "upstream.internal", 10)),
        ("upstream.protocol", False, Consequence("internal", "upstream.protocol", 10)),
    ],
)
def test_each_failure_has_its_consequence(reason: str, sent: bool, expected: Consequence) -> None:
    assert consequence(UpstreamError(reason), sent=sent) == expected


def test_the_time_that_the_upstream_tells_counts() -> None:
    error = UpstreamError("account.throttled", retry_after=90)
    assert consequence(error, sent=False) == Consequence("cooling", "account.throttled", 90)


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_what_is_not_the_accounts_fault_says_nothing_of_it(reason: str) -> None:
    spoken = ("account.", "transport.", "upstream.", "timeout.connect", "timeout.first")
    if reason == "account.none" or not reason.startswith(spoken):
        assert consequence(UpstreamError(reason), sent=True) == NONE
