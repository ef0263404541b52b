"""A goal is judged by the median of its rounds."""

from bench.report.goal import make_goal


def test_the_median_decides_and_rounds_without_a_value_do_not_count() -> None:
    goal = make_goal("a ratio", 2.0, "×", [9.0, None, 1.0, 2.0])
    assert (goal.measured, goal.met) == ((1.0, 2.0, 9.0), True)
    assert make_goal("a ratio", 1.9, "×", [9.0, 1.0, 2.0]).met is False
    assert make_goal("a ratio", 2.0, "×", [None]).met is None
