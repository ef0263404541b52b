"""What a server refuses of one request is left out of it, and of all once such a request was answered."""

import pytest

from worker.accounts.account import MaxTokensName
from worker.providers.openai.habits import FIRST, ServerHabits, Trial, max_tokens_name

BODY = b'{"messages":[]}'


def test_a_refused_field_is_left_out_for_all_once_a_repeat_was_answered() -> None:
    habits = ServerHabits()
    assert habits.refuse("temperature", BODY, ["temperature"])
    trial = habits.find_trial(BODY)
    assert trial.without == {"temperature"}
    assert habits.find_trial(b"{}") == FIRST
    assert not habits.omitted
    assert habits.confirm(trial) == ["temperature"]
    assert habits.omitted == {"temperature"}
    assert habits.confirm(trial) == []


def test_a_repeat_that_is_refused_for_the_same_teaches_nothing() -> None:
    habits = ServerHabits()
    assert habits.refuse("stream", BODY, ["stream"])
    assert not habits.refuse("stream", b"repeated", [], habits.find_trial(BODY))
    assert not habits.omitted


def test_a_repeat_that_is_refused_for_another_field_lacks_both() -> None:
    habits = ServerHabits()
    assert habits.refuse("stream_options", BODY, ["stream_options", "temperature"])
    assert habits.refuse("temperature", b"repeated", ["temperature"], habits.find_trial(BODY))
    assert habits.confirm(habits.find_trial(BODY)) == ["stream_options", "temperature"]


def test_a_field_that_was_not_sent_is_no_reason_to_repeat() -> None:
    habits = ServerHabits()
    assert not habits.refuse("temperature", BODY, ["stream"])
    assert habits.find_trial(BODY) == FIRST


def test_of_a_value_that_is_its_clients_own_nothing_is_learnt_of_the_others() -> None:
    habits = ServerHabits()
    assert habits.refuse("reasoning_details", BODY, ["reasoning_details"])
    assert habits.confirm(habits.find_trial(BODY), {"reasoning_details"}) == []
    assert not habits.omitted


@pytest.mark.parametrize(
    ("usual", "other"),
    [("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")],
)
def test_the_other_name_takes_the_place_of_the_refused_one(usual: MaxTokensName, other: MaxTokensName) -> None:
    habits = ServerHabits()
    assert max_tokens_name(usual, ()) == usual
    assert habits.refuse(usual, BODY, [usual])
    trial = habits.find_trial(BODY)
    assert max_tokens_name(usual, trial.without) == other
    assert not habits.refuse(other, b"repeated", [other], trial)
    assert max_tokens_name(usual, {usual, other}) == usual


@pytest.mark.parametrize(("name", "signs"), [("signature", False), ("thought_signature", True)])
def test_what_is_wrong_with_a_signature_is_left_out_of_its_request_alone(name: str, signs: bool) -> None:
    habits = ServerHabits()
    assert FIRST.thinking
    assert habits.refuse(name, BODY, [])
    trial = habits.find_trial(BODY)
    assert not trial.thinking
    assert not habits.refuse(name, b"repeated", [], trial)
    assert habits.confirm(trial, signed=True) == []
    assert (habits.omitted, habits.signs_calls) == (set(), signs)


def test_calls_are_signed_for_all_only_where_the_server_has_taken_a_signed_one() -> None:
    """A server that knows no such field refuses a client's own signature with the same words."""
    habits = ServerHabits()
    assert habits.refuse("thought_signature", BODY, [])
    habits.confirm(habits.find_trial(BODY))
    assert not habits.signs_calls


def test_what_is_not_streamed_beside_one_clients_fields_is_streamed_for_others() -> None:
    habits, beam = ServerHabits(), frozenset({"use_beam_search"})
    assert habits.refuse("stream", BODY, ["stream"])
    assert habits.confirm(habits.find_trial(BODY), fields=beam) == []
    assert not habits.omitted_beside(frozenset({"temperature"}))
    assert habits.omitted_beside(beam | {"temperature"}) == {"stream"}
    assert habits.confirm(habits.find_trial(BODY)) == ["stream"]
    assert habits.omitted_beside(frozenset()) == {"stream"}


def test_sets_of_fields_that_clients_make_up_take_little_memory() -> None:
    habits = ServerHabits()
    for number in range(1000):
        habits.confirm(Trial(without=frozenset({"stream"})), fields=frozenset({f"x{number}"}))
    habits.whole_beside.clear()
    habits.confirm(Trial(without=frozenset({"stream"})), fields=frozenset({"x" * 10_000}))
    assert (habits.whole_beside, habits.omitted) == (set(), set())


def test_of_requests_to_be_repeated_only_the_last_ones_are_known() -> None:
    habits = ServerHabits()
    for number in range(2000):
        habits.refuse("signature", b"%d" % number, [])
    assert habits.find_trial(b"0") == FIRST
    assert habits.find_trial(b"1999") != FIRST


def test_one_request_is_repeated_with_few_fields_less() -> None:
    habits, names = ServerHabits(), [f"x{number}" for number in range(100)]
    repeats = 0
    while habits.refuse(names[repeats], BODY, names, habits.find_trial(BODY)):
        repeats += 1
    assert repeats == 16


def test_fields_that_clients_make_up_leave_room_for_ours() -> None:
    habits = ServerHabits()
    for number in range(1000):
        habits.confirm(Trial(without=frozenset({f"x{number}"})))
    assert len(habits.omitted) == 256
    assert habits.confirm(Trial(without=frozenset({"x1000", "temperature"}))) == ["temperature"]
