"""What a server refuses of one request is left out of it, and of all once two clients' such requests were answered."""

from typing import Any

import pytest

from worker.accounts.account import MaxTokensName
from worker.providers.openai.habits import FIRST, ServerHabits, Trial, max_tokens_name

BODY = b'{"messages":[]}'


def agree(habits: ServerHabits, trial: Trial, *own: str, **more: Any) -> list[str]:
    """Two clients' requests were answered so."""
    assert habits.confirm(trial, own, client="x", **more) == []
    return habits.confirm(trial, own, client="y", **more)


def test_a_refused_field_is_left_out_for_all_once_two_clients_repeats_were_answered() -> None:
    habits = ServerHabits()
    assert habits.refuse("temperature", BODY, ["temperature"])
    trial = habits.find_trial(BODY)
    assert trial.without == {"temperature"}
    assert habits.find_trial(b"{}") == FIRST
    assert not habits.omitted
    assert [habits.confirm(trial, client="x") for _ in range(3)] == [[]] * 3
    assert not habits.omitted
    assert habits.confirm(trial, client="y") == ["temperature"]
    assert habits.omitted == {"temperature"}
    assert habits.confirm(trial, client="z") == []


def test_what_a_clients_request_was_answered_without_its_next_ones_lack() -> None:
    habits, fields = ServerHabits(), frozenset({"seed"})
    trial = Trial(without=frozenset({"temperature", "stream", "signature"}))
    habits.confirm(trial, client="x", fields=fields)
    first = habits.first_trial("x", fields | {"top_p"})
    assert first.without == {"temperature", "stream"}
    assert habits.first_trial("x", frozenset()).without == {"temperature"}
    assert habits.first_trial("y", fields) == FIRST
    assert habits.find_trial(BODY, first) == first
    assert habits.refuse("stream_options", BODY, ["stream_options"], first)
    assert habits.find_trial(BODY, first).without == {"temperature", "stream", "stream_options"}


def test_a_value_of_a_clients_that_is_refused_teaches_nothing() -> None:
    habits = ServerHabits()
    assert habits.refuse("temperature", BODY, ["temperature"], by_value=True)
    trial = habits.find_trial(BODY)
    assert "temperature" in trial.without
    assert agree(habits, trial) == []
    assert (habits.first_trial("x", frozenset()), habits.omitted) == (FIRST, set())


def test_what_clients_teach_takes_little_memory() -> None:
    habits = ServerHabits()
    for number in range(1000):
        habits.confirm(Trial(without=frozenset({f"x{number}-{n}" for n in range(50)})), client=f"{number}")
    assert len(habits._lessons) == 128
    assert {len(lessons) for lessons in habits._lessons.values()} == {16}
    assert (habits.first_trial("0", frozenset()), habits.first_trial("999", frozenset()) == FIRST) == (FIRST, False)


def test_a_repeat_that_is_refused_for_the_same_teaches_nothing() -> None:
    habits = ServerHabits()
    assert habits.refuse("stream", BODY, ["stream"])
    assert not habits.refuse("stream", b"repeated", [], habits.find_trial(BODY))
    assert not habits.omitted


def test_a_repeat_that_is_refused_for_another_field_lacks_both() -> None:
    habits = ServerHabits()
    assert habits.refuse("stream_options", BODY, ["stream_options", "temperature"])
    assert habits.refuse("temperature", b"repeated", ["temperature"], habits.find_trial(BODY))
    assert agree(habits, habits.find_trial(BODY)) == ["stream_options", "temperature"]


def test_a_field_that_was_not_sent_is_no_reason_to_repeat() -> None:
    habits = ServerHabits()
    assert not habits.refuse("temperature", BODY, ["stream"])
    assert habits.find_trial(BODY) == FIRST


def test_of_a_value_that_is_its_clients_own_nothing_is_learnt_of_the_others() -> None:
    habits = ServerHabits()
    assert habits.refuse("reasoning_details", BODY, ["reasoning_details"])
    assert agree(habits, habits.find_trial(BODY), "reasoning_details") == []
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
    assert agree(habits, trial, signed=True) == []
    assert (habits.omitted, habits.signs_calls) == (set(), signs)
    assert habits.first_trial("x", frozenset()).thinking


def test_calls_are_signed_for_all_only_where_the_server_has_taken_a_signed_one() -> None:
    """A server that knows no such field refuses a client's own signature with the same words."""
    habits = ServerHabits()
    assert habits.refuse("thought_signature", BODY, [])
    agree(habits, habits.find_trial(BODY))
    assert not habits.signs_calls


def test_what_is_not_streamed_beside_one_clients_fields_is_streamed_for_others() -> None:
    habits, beam = ServerHabits(), frozenset({"use_beam_search"})
    assert habits.refuse("stream", BODY, ["stream"])
    trial = habits.find_trial(BODY)
    assert habits.confirm(trial, fields=beam | {"seed"}, client="x") == []
    assert not habits.omitted_beside(beam | {"seed"})
    assert habits.confirm(trial, fields=frozenset({"seed", "top_p"}), client="z") == []
    assert habits.confirm(trial, fields=beam, client="y") == []
    assert not habits.omitted_beside(frozenset({"temperature"}))
    assert not habits.omitted_beside(beam)
    assert habits.omitted_beside(beam | {"seed", "temperature"}) == {"stream"}
    assert agree(habits, trial) == ["stream"]
    assert habits.omitted_beside(frozenset()) == {"stream"}


def test_sets_of_fields_that_clients_make_up_take_little_memory() -> None:
    habits = ServerHabits()
    for number in range(1000):
        agree(habits, Trial(without=frozenset({"stream"})), fields=frozenset({f"x{number}"}))
    assert len(habits.whole_beside) == 16
    habits.whole_beside.clear()
    agree(habits, Trial(without=frozenset({"stream"})), fields=frozenset({"x" * 10_000}))
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
        for client in "xy":
            habits.confirm(Trial(without=frozenset({f"x{number}"})), client=f"{client}{number}")
    assert len(habits.omitted) == 256
    assert agree(habits, Trial(without=frozenset({"x1000", "temperature"}))) == ["temperature"]
