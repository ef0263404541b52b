"""The table of refusals as such; what it says about each kind is in test_errors.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.reasons import Reason
from worker.providers.openai.refusals import RULES, BodyKind, find_rule

NEVER_AGAIN = (408, 499, 504, *range(520, 528))


@given(st.none() | st.integers(100, 599), st.sampled_from(BodyKind), st.lists(st.text(max_size=30)), st.text())
def test_every_refusal_has_a_rule(status: int | None, body: BodyKind, codes: list[str], message: str) -> None:
    assert find_rule(status, body, codes, message) in RULES


@pytest.mark.parametrize("status", NEVER_AGAIN)
@given(body=st.sampled_from(BodyKind), codes=st.lists(st.sampled_from(["timeout", "server_error", "overloaded_error"])))
def test_a_question_that_may_still_be_answered_is_asked_once(status: int, body: BodyKind, codes: list[str]) -> None:
    assert find_rule(status, body, codes, "model is loading").final


@pytest.mark.parametrize("status", [500, 502])
@pytest.mark.parametrize("body", [BodyKind.PAGE, BodyKind.OTHER, BodyKind.JSON])
def test_so_is_one_that_failed_without_an_error_of_the_servers(status: int, body: BodyKind) -> None:
    assert find_rule(status, body).final


def test_what_another_account_may_answer_is_never_final() -> None:
    elsewhere = [rule for rule in RULES if rule.reason in (Reason.ACCOUNT_BLOCKED, Reason.QUESTION_INVALID)]
    assert not any(rule.final for rule in elsewhere)


ANTHROPIC = (
    "This request would exceed the rate limit for your organization (0) of 30,000 input tokens per minute. Please"
    " reduce the prompt length or the maximum tokens requested, or try again later."
)


@pytest.mark.parametrize(
    ("status", "message", "codes", "by_question"),
    [
        (429, ANTHROPIC, ["rate_limit_error"], True),
        (None, ANTHROPIC, ["rate_limit_error"], True),
        (429, ANTHROPIC.replace("input", "output"), ["rate_limit_error"], True),
        (429, "Rate limit reached for m on tokens per min (TPM): Limit 30000, Used 20000, Requested 15000.", [], True),
        (429, "Requests have exceeded the token rate limit of your pricing tier.", [], True),
        (429, "Quota exceeded for metric: free_tier_input_token_count, limit: 0", ["RESOURCE_EXHAUSTED"], True),
        (429, "Please reduce the length of the messages.", [], True),
        (429, "Rate limit reached for m on requests per min (RPM): Limit 3, Used 3, Requested 1.", [], False),
        (429, "This request would exceed your rate limit of 50 requests per minute.", [], False),
        (429, "", ["rate_limit_exceeded"], False),
        (None, "Slow down", ["rate_limit_exceeded"], False),
        (429, "You exceeded your current quota of tokens", ["insufficient_quota"], False),
    ],
)
def test_a_limit_of_tokens_may_be_met_by_one_question_alone(
    status: int | None, message: str, codes: list[str], by_question: bool
) -> None:
    rule = find_rule(status, BodyKind.ERROR, codes, message)
    assert (rule.reason, rule.by_question) == (Reason.ACCOUNT_THROTTLED, by_question)
