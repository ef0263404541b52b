"""What both APIs' answers send before they fail."""

from collections.abc import Callable
from typing import Any

import pytest

from emulator import failure_scenarios
from emulator.failure_scenarios import after_text, midway
from emulator.prompt import TurnPrompt
from emulator.steps import Close, Reset, Silence, Step
from tests.support.emulator.turns import bing_turn, completion_turn, text_length

TURNS = pytest.mark.parametrize("create", [bing_turn, completion_turn])


@TURNS
@pytest.mark.parametrize(
    ("scenario", "last"),
    [
        (failure_scenarios.silence, Silence()),
        (failure_scenarios.silence_mid, Silence()),
        (failure_scenarios.silence_late, Silence()),
        (failure_scenarios.close, Close()),
        (failure_scenarios.close_mid, Close()),
        (failure_scenarios.close_late, Close()),
        (failure_scenarios.reset, Reset()),
        (failure_scenarios.reset_mid, Reset()),
    ],
)
def test_a_failure_is_the_last_step(create: Callable[[], TurnPrompt], scenario: Any, last: Step) -> None:
    *_, step = scenario(create())
    assert step == last


@TURNS
def test_the_text_before_a_failure_is_none_half_or_all_of_it(create: Callable[[], TurnPrompt]) -> None:
    answer, first, _ = create().halves()
    assert text_length(failure_scenarios.close(create())) == 0
    assert text_length(midway(failure_scenarios.close)(create())) == len("".join(first)) > 0
    assert text_length(after_text(failure_scenarios.close)(create())) == len(answer.text)


@pytest.mark.parametrize("create", [bing_turn, completion_turn])
def test_the_middle_can_be_moved(create: Callable[[str], TurnPrompt]) -> None:
    _, first, second = create("cats !at=3").halves()
    assert (len(first), len(second)) == (3, len(create("cats").pieces(create("cats").compose())) - 3)
