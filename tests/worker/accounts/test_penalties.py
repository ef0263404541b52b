"""What a turn's end means for its account."""

import pytest

from wire.reasons import Reason
from worker.accounts.penalties import DEMANDED, NO_PENALTY, VERY_LONG, Penalty, penalty_for
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
        (Reason.TRANSPORT_CLOSED, True, Penalty("trouble", "transport.closed", 1, True)),
        (Reason.TRANSPORT_CLOSED, False, Penalty("trouble", "transport.closed", 1)),
        (Reason.TIMEOUT_CONNECT, False, Penalty("trouble", "timeout.connect", 1)),
        (Reason.TIMEOUT_FIRST, True, Penalty("internal", "timeout.first", 10, True)),
        (Reason.TIMEOUT_IDLE, True, Penalty("internal", "timeout.idle", 10, True)),
        (Reason.ANSWER_EMPTY, True, Penalty("internal", "answer.empty", 10, True)),
        (Reason.UPSTREAM_INTERNAL, True, Penalty("internal", "upstream.internal", 10, True)),
        (Reason.UPSTREAM_PROTOCOL, False, Penalty("internal", "upstream.protocol", 10)),
        (Reason.UPSTREAM_BUSY, True, Penalty("refused", "upstream.busy", 1)),
        (Reason.UPSTREAM_GATEWAY, True, Penalty("refused", "upstream.gateway", 1, True)),
        (Reason.ACCOUNT_BLOCKED, True, Penalty("refused", "account.blocked", 1, True)),
        (Reason.ACCOUNT_BLOCKED, False, Penalty("refused", "account.blocked", 1)),
    ],
)
def test_each_failure_has_its_consequence(reason: Reason, sent: bool, expected: Penalty) -> None:
    assert penalty_for(UpstreamError(reason), sent=sent) == expected


def test_the_time_that_the_upstream_sends_counts() -> None:
    error = UpstreamError(Reason.ACCOUNT_THROTTLED, retry_after=90)
    assert penalty_for(error, sent=False) == Penalty("cooling", "account.throttled", 90)


@pytest.mark.parametrize("reason", sorted(Reason))
def test_what_is_not_the_accounts_fault_says_nothing_of_it(reason: Reason) -> None:
    spoken = ("account.", "transport.", "upstream.", "timeout.connect", "timeout.first", "timeout.idle", "answer.empty")
    if reason == "account.none" or not reason.startswith(spoken):
        assert penalty_for(UpstreamError(reason), sent=True) == NO_PENALTY


def test_an_invalid_question_is_the_questions() -> None:
    assert penalty_for(UpstreamError(Reason.QUESTION_INVALID, refused=True), sent=True).by_question


def test_only_what_may_follow_from_a_question_is_attributed_to_its_client() -> None:
    own, shared = Penalty("dead", "account.refused", 15), Penalty("trouble", "transport.closed", 1, by_question=True)
    assert own.attribute("x", VERY_LONG + 1) == own
    assert shared.attribute("x", VERY_LONG) == Penalty("trouble", "transport.closed", 1, True, "x")
    assert shared.attribute("x", VERY_LONG + 1) == Penalty("noted", "transport.closed", 1, True, "x")


@pytest.mark.parametrize("reason", sorted(DEMANDED))
def test_a_refusal_of_a_question_that_asked_for_more_is_the_questions(reason: Reason) -> None:
    error = UpstreamError(reason, refused=True, retry_after=3600)
    assert penalty_for(error, sent=True, beyond=True).by_question
    assert penalty_for(error, sent=True, beyond=True).pause <= 60
    assert not penalty_for(error, sent=False, beyond=True).by_question
    assert not penalty_for(error, sent=True).by_question


def test_words_of_a_page_that_may_be_the_questions_are_no_sign_in_of_the_accounts() -> None:
    error = UpstreamError(Reason.ACCOUNT_UNAUTHORIZED, refused=True)
    error.by_question = True
    assert penalty_for(error, sent=True) == Penalty("trouble", "account.unauthorized", 1, True)
