"""One value of each round, or none."""

from typing import Any

from bench.report.ratios import WHOLE, cpu, differences, ratios, side_rounds, values

ROUNDS: list[dict[str, Any]] = [
    {"cpu_us_per_delta": {"gateway": 10.0, "worker": 5.0}, "cpu_us_per_delta_whole": {"gateway": 40.0}},
    {"cpu_us_per_delta": None, "cpu_us_per_delta_whole": {"gateway": 50.0}},
]
FOUND = {"settings": {"streams": [300, 50]}, "compared": {"path sse 300": {"rounds": ROUNDS}}, "grown": {}}


def test_a_side_has_no_rounds_at_a_count_that_was_not_measured() -> None:
    assert side_rounds(FOUND, "path") == ROUNDS
    assert (
        side_rounds(FOUND, "path", "ws")
        == side_rounds(FOUND, "path", "sse", 50)
        == side_rounds(FOUND, "path", part="grown")
        == []
    )


def test_roles_are_added_up_and_a_round_of_which_one_is_missing_has_no_value() -> None:
    assert cpu(ROUNDS) == [10.0, None]
    assert cpu(ROUNDS, "gateway", "worker") == [15.0, None]
    assert cpu(ROUNDS, "gateway", "redis") == [None, None]
    assert cpu(ROUNDS, key=WHOLE) == values(ROUNDS, WHOLE, "gateway") == [40.0, 50.0]


def test_what_has_no_pair_is_none() -> None:
    assert ratios([4.0, 4.0, None], [2.0, 0.0, 1.0]) == [2.0, None, None]
    assert differences([4.0, None], [1.0, 1.0]) == [3.0, None]
