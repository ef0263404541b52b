"""When a load is too much."""

import pytest

from bench.clients.spread import Spread
from bench.measure.rounds import AnswerCounts, Round
from bench.measure.saturation import SaturationStep, StopReason, step


def round_with(streams: int, cpu: dict[str, float], p99: float, complete: int = 10) -> SaturationStep:
    answers = AnswerCounts(10, complete, 0, 10 - complete, {})
    return step(streams, Round(answers, None, Spread(1, p99), 4.0, 10_000.0, 1.2, cpu, {}, 1.0, 0.0))


@pytest.mark.parametrize(
    ("streams", "cpu", "p99", "complete", "stop"),
    [
        (300, {"gateway": 60.0}, 20.0, 10, None),
        (300, {"gateway": 96.0}, 20.0, 10, "gateway"),
        (300, {"gateway": 60.0, "redis": 97.0}, 20.0, 10, "redis"),
        (300, {"gateway": 60.0}, 300.0, 10, "late"),
        (300, {"gateway": 60.0}, 20.0, 9, "answers were lost"),
        (3900, {"gateway": 60.0}, 20.0, 10, "streams"),
    ],
)
def test_a_load_is_too_much_for_one_reason(
    streams: int, cpu: dict[str, float], p99: float, complete: int, stop: StopReason | None
) -> None:
    measured = round_with(streams, cpu, p99, complete)
    assert measured.stop == stop
    assert measured.cores["gateway"] == round(cpu["gateway"] / 100, 2)


def test_streams_that_were_never_open_at_once_are_late_and_not_lost() -> None:
    assert step(300, Round(AnswerCounts(10, 10, 0, 0, {}), Spread(1, 9000))).stop == "late"
