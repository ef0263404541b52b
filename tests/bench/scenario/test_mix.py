"""What users ask."""

from typing import get_args

from bench.scenario import mix
from wire.messages import Style


def test_every_question_has_a_style_that_the_service_knows() -> None:
    questions = [mix.question() for _ in range(50)] + [mix.long_question()]
    assert {fields["style"] for fields in questions} <= set(get_args(Style))
    assert all(fields["question"] for fields in questions)


def test_a_long_answer_outlasts_the_cut() -> None:
    deltas = int(mix.long_question()["question"].split()[0].removeprefix("!deltas="))
    assert deltas > mix.CUT_AFTER[1]
    assert {mix.cut_after() for _ in range(100)} <= set(range(1, deltas))


def test_a_picture_is_asked_for_by_a_keyword() -> None:
    assert mix.picture()["keyword"]
