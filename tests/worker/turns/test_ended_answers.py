from unittest import mock

from wire.sessions import Lease, TurnEnd
from worker.turns.ended_answers import EndedAnswer, EndedAnswers, Ending
from worker.turns.recent_events import RecentEvents


def ended(number: int, size: int) -> EndedAnswer:
    end = TurnEnd(Lease("t", "w", 1), f"s0-{number}", {}, b"e" * size, b"", b"", b"")
    return EndedAnswer("t", end.answer, 1, float(number), Ending(end, RecentEvents(), 1))


def test_those_since_a_time_are_returned_oldest_first() -> None:
    answers = EndedAnswers()
    for number in range(3):
        answers.add(ended(number, 1))
    assert [answer.answer for answer in answers.since(1.0)] == ["s0-1", "s0-2"]


def test_above_their_bound_it_is_only_known_of_the_oldest_that_they_ended() -> None:
    with mock.patch("worker.turns.ended_answers._MOST_BYTES", 10):
        answers = EndedAnswers()
        for number, size in enumerate((4, 6, 5)):
            answers.add(ended(number, size))
        assert [answer.ending is None for answer in answers.since(0.0)] == [True, True, False]
        answers.add(ended(3, 11))
        assert [answer.ending is None for answer in answers.since(0.0)] == [True] * 4
        answers.add(ended(4, 10))
        assert [answer.ending is None for answer in answers.since(4.0)] == [False]


def test_their_number_is_bounded() -> None:
    with mock.patch("worker.turns.ended_answers._MOST_ANSWERS", 2):
        answers = EndedAnswers()
        for number in range(3):
            answers.add(ended(number, 1))
        assert [answer.ending is None for answer in answers.since(0.0)] == [False, False]


def test_what_is_forgotten_makes_room() -> None:
    with mock.patch("worker.turns.ended_answers._MOST_BYTES", 10):
        answers = EndedAnswers()
        answers.add(ended(0, 10))
        answers.forget_before(1.0)
        assert answers.since(0.0) == []
        for number in (1, 2):
            answers.add(ended(number, 5))
        assert [answer.ending is None for answer in answers.since(0.0)] == [False, False]
