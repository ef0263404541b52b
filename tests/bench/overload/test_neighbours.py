"""Which rounds count, and what is fair."""

import msgspec
import pytest

from bench.overload.neighbours import NeighbourFigures, NeighbourRound, quiet_median


def test_rounds_in_which_others_kept_the_machine_busy_do_not_count() -> None:
    assert (
        quiet_median([NeighbourRound(5, 0.1), NeighbourRound(400, 1.2), NeighbourRound(7, 0.2), NeighbourRound(6, 0.0)])
        == 6
    )


def test_if_none_was_quiet_nothing_can_be_said() -> None:
    assert quiet_median([NeighbourRound(5, 1.1), NeighbourRound(400, 1.2)]) is None


@pytest.mark.parametrize(
    ("ratios", "wrong", "fair"),
    [
        ({"huge": 1.25}, {}, True),
        ({"huge": 1.26}, {}, False),
        ({"huge": 1.0}, {"unfinished": 1}, False),
        ({"huge": None}, {}, False),
    ],
)
def test_a_neighbour_may_cost_a_quarter_and_no_answer(
    ratios: dict[str, float | None], wrong: dict[str, int], fair: bool
) -> None:
    figures = NeighbourFigures({}, {}, {}, {}, {})
    assert msgspec.structs.replace(figures, ratios=ratios, wrong=wrong).fair is fair
