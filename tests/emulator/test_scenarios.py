"""Answers that both APIs give in the same way."""

from collections.abc import Callable
from typing import Any

import pytest

from emulator import scenarios
from emulator.prompt import TurnPrompt
from emulator.steps import Pause
from tests.support.emulator.turns import bing_turn, completion_turn, text_length

TURNS = pytest.mark.parametrize("create", [bing_turn, completion_turn])


@TURNS
def test_a_plain_answer_is_sent_whole(create: Callable[[], TurnPrompt]) -> None:
    assert text_length(scenarios.plain(create())) == len(create().compose().text)


@TURNS
@pytest.mark.parametrize(
    ("scenario", "more"),
    [(scenarios.surrogate, 9), (scenarios.surrogate_end, 2), (scenarios.open_mark, 18)],
)
def test_pieces_are_appended_to_an_answer(create: Callable[[], TurnPrompt], scenario: Any, more: int) -> None:
    assert text_length(scenario(create())) == len(create().compose().text) + more


@TURNS
def test_a_pause_in_the_middle_changes_no_text(create: Callable[[str], TurnPrompt]) -> None:
    steps = list(scenarios.pause_mid(create("cats !pause-mid=7")))
    assert Pause(7.0, exact=True) in steps
    assert text_length(steps) == len(create("cats").compose().text)


@TURNS
@pytest.mark.parametrize(("question", "text"), [("cats", scenarios.LEARNING), ("猫", scenarios.LEARNING_CHINESE)])
def test_learning_is_answered_in_the_questions_language(
    create: Callable[[str], TurnPrompt], question: str, text: str
) -> None:
    assert text_length(scenarios.learning(create(question))) == len(text)


def test_each_mark_is_split_in_three() -> None:
    assert scenarios.split_at_marks("one[^1^] two[^23^]") == ["one", "[^", "1", "^]", " two", "[^", "23", "^]"]
