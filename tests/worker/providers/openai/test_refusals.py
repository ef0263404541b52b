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
