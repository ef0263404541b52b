import pytest

from wire.reasons import Reason
from worker.errors import ACCOUNT_REASONS, FRESH_SESSION_REASONS, UpstreamError


@pytest.mark.parametrize("reason", sorted(Reason))
def test_an_error_has_its_reason(reason: Reason) -> None:
    error = UpstreamError(reason)
    assert error.reason == reason
    assert str(error) == reason
    assert not error.message
    assert not error.refused


def test_the_upstreams_own_words_stay_out_of_the_reason() -> None:
    error = UpstreamError(Reason.UPSTREAM_INTERNAL, "stack trace", refused=True)
    assert error.detail == "stack trace"
    assert str(error) == "upstream.internal: stack trace"
    assert error.refused


def test_a_third_partys_string_becomes_a_reason() -> None:
    assert UpstreamError("account.captcha").reason is Reason.ACCOUNT_CAPTCHA  # type: ignore[arg-type]


def test_an_unknown_reason_is_a_mistake_of_the_code() -> None:
    with pytest.raises(ValueError, match="'nonsense' is not a valid Reason"):
        UpstreamError("nonsense")  # type: ignore[arg-type]


def test_reasons_that_allow_a_further_attempt_are_distinct() -> None:
    assert set(Reason) >= ACCOUNT_REASONS | FRESH_SESSION_REASONS
    assert not ACCOUNT_REASONS & FRESH_SESSION_REASONS
