"""From what was read of the processes to the figures of a round."""

import msgspec

from bench.load import Outcome, Window
from bench.rounds import Readings, Usage, figures
from bench.spread import Spread

DELAY = Spread(1.0, 2.0)


def outcome(window: Window | None) -> Outcome:
    return Outcome(10, 9, 0, 1, {}, DELAY, 5000, window)


def readings() -> Readings:
    return Readings(
        asking=Usage({"gateway": 0.5}, 99.0),
        over=Usage({"gateway": 3.0}, 103.0),
        full=Usage({"gateway": 1.0, "client": 3.0}, 100.0),
        ebbing=Usage({"gateway": 1.5, "client": 3.1}, 102.6),
        memory={"gateway": 1400},
    )


def test_what_was_used_in_the_window_is_divided_by_what_arrived_in_it() -> None:
    found = figures(outcome(Window(4.0, 10, 2000, 1000, DELAY)), readings(), {"gateway": 1000})
    assert found.cpu_us_per_delta == {"gateway": 250.0, "client": 50.0}
    assert found.kb_per_stream == {"gateway": 40.0}
    assert (found.deltas_per_s, found.deltas_per_event) == (500.0, 2.0)
    assert (found.cores_busy, found.cores_elsewhere) == (0.15, 0.5)
    assert (found.answers.asked, found.answers.complete, found.answers.unfinished) == (10, 9, 1)


def test_without_a_window_of_some_length_only_the_answers_count() -> None:
    short = Window(0.1, 10, 50, 50, DELAY)
    for window in (None, short):
        found = figures(outcome(window), readings(), {"gateway": 1000})
        assert found.answers.complete == 9
        assert found.first_delta_ms == DELAY
        assert found.cpu_us_per_delta is None
        assert found.delay_ms is None


def test_what_the_system_used_for_whole_answers_is_divided_by_all_that_arrived() -> None:
    for window in (None, Window(4.0, 10, 2000, 1000, DELAY)):
        assert figures(outcome(window), readings(), {"gateway": 1000}).cpu_us_per_delta_whole == {"gateway": 500.0}


def test_without_a_delta_nothing_is_divided() -> None:
    nothing = msgspec.structs.replace(outcome(None), deltas=0)
    assert figures(nothing, readings(), {"gateway": 1000}).cpu_us_per_delta_whole is None
