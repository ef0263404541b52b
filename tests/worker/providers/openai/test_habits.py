"""What a server refuses once is left out from then on."""

import pytest

from worker.accounts.account import MaxTokensName
from worker.providers.openai.habits import ServerHabits

BODY = b'{"messages":[]}'


def test_a_refused_field_is_left_out_and_the_request_repeated() -> None:
    habits = ServerHabits()
    assert habits.refuse("temperature", BODY, ["temperature"])
    assert habits.omitted == {"temperature"}


def test_a_field_that_was_not_sent_is_no_reason_to_repeat() -> None:
    habits = ServerHabits()
    assert not habits.refuse("temperature", BODY, ["stream"])
    assert not habits.omitted


@pytest.mark.parametrize(
    ("usual", "other"),
    [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")],
)
def test_the_other_name_takes_the_place_of_the_refused_one(usual: MaxTokensName, other: MaxTokensName) -> None:
    habits = ServerHabits()
    assert habits.max_tokens(usual) == usual
    assert habits.refuse(usual, BODY, [usual])
    assert habits.max_tokens(usual) == other
    assert not habits.refuse(other, BODY, [other])
    assert habits.max_tokens(usual) == usual


def test_a_request_that_was_refused_for_a_signature_is_repeated_otherwise_once() -> None:
    habits = ServerHabits()
    assert not habits.is_repeat(BODY)
    assert habits.refuse("signature", BODY, [])
    assert not habits.is_repeat(b"{}")
    assert habits.is_repeat(BODY)
    assert not habits.is_repeat(BODY)


def test_of_requests_to_be_repeated_only_the_last_ones_are_known() -> None:
    habits = ServerHabits()
    for number in range(100):
        habits.refuse("signature", b"%d" % number, [])
    assert not habits.is_repeat(b"0")
    assert habits.is_repeat(b"99")
