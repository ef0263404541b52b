import pytest

from emulator.prompt import TICK
from emulator.steps import Pause, Tick
from tests.support.emulator.turns import completion_turn


def test_the_topic_is_the_question_without_its_directives() -> None:
    assert completion_turn("cats !throttled !rate=5").topic == "cats"
    assert completion_turn("!rate=5").topic == "!rate=5"
    assert completion_turn("").topic == "…"


def test_a_rate_is_kept_whatever_the_pace() -> None:
    assert completion_turn("cats").tick == Tick(TICK)
    assert completion_turn("cats !rate=20").tick == Tick(0.05, exact=True)


@pytest.mark.parametrize(
    ("question", "pauses"),
    [("cats", [Pause(2.0)]), ("cats !stamp", []), ("cats !stamp !first=3", [Pause(3.0, exact=True)])],
)
def test_the_wait_for_the_first_text_can_be_set_or_left_out(question: str, pauses: list[Pause]) -> None:
    assert list(completion_turn(question).wait_for_text(2.0)) == pauses


def test_an_answer_is_as_long_as_asked() -> None:
    assert len(completion_turn("cats !long=700").compose().text) == 700


def test_numbered_deltas_take_the_place_of_text_and_sources() -> None:
    turn = completion_turn("cats !deltas=2")
    answer = turn.compose()
    assert answer.sources == ()
    assert turn.pieces(answer) == ["delta 000001 ", "delta 000002 "]


def test_the_halves_add_up_to_the_answer() -> None:
    turn = completion_turn("cats")
    answer, first, second = turn.halves()
    assert "".join(first + second) == answer.text
    assert 0 <= len(second) - len(first) <= 1
