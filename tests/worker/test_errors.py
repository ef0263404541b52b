import pytest

from worker.errors import ACCOUNT_REASONS, FRESH_SESSION_REASONS, REASONS, UpstreamError


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_each_reason_has_a_sentence_for_the_client(reason: str) -> None:
    error = UpstreamError(reason)
    assert error.message == REASONS[reason]
    assert error.message
    assert str(error) == reason
    assert not error.refused


def test_the_upstreams_own_words_stay_out_of_the_clients_sentence() -> None:
    error = UpstreamError("upstream.internal", "stack trace", refused=True)
    assert error.detail == "stack trace"
    assert str(error) == "upstream.internal: stack trace"
    assert "stack trace" not in error.message
    assert error.refused


def test_an_unknown_reason_is_a_mistake_of_the_code() -> None:
    with pytest.raises(ValueError, match="unknown reason: nonsense"):
        UpstreamError("nonsense")


def test_reasons_that_allow_a_further_attempt_are_in_the_table() -> None:
    assert REASONS.keys() >= ACCOUNT_REASONS | FRESH_SESSION_REASONS
    assert not ACCOUNT_REASONS & FRESH_SESSION_REASONS


def test_an_exhausted_pool_says_what_clients_know() -> None:
    assert UpstreamError("account.throttled").message == "已上限,24小时后尝试"
