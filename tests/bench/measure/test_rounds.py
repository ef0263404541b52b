"""From what was read of the processes to the figures of a round."""

import msgspec

from bench.clients.load import LoadOutcome, Window
from bench.clients.spread import Spread
from bench.measure.rounds import AnswerCounts, CpuUsage, Readings, Round, figures

DELAY = Spread(1.0, 2.0)


def outcome(window: Window | None) -> LoadOutcome:
    return LoadOutcome(10, 9, 0, 1, {}, DELAY, 5000, window)


def readings() -> Readings:
    return Readings(
        before=CpuUsage({"gateway": 0.5}, 99.0),
        over=CpuUsage({"gateway": 3.0}, 103.0),
        full=CpuUsage({"gateway": 1.0, "client": 3.0}, 100.0),
        ebbing=CpuUsage({"gateway": 1.5, "client": 3.1}, 102.6),
        memory={"gateway": 1400},
    )


def test_what_was_used_in_the_window_is_divided_by_what_arrived_in_it() -> None:
    measured = figures(outcome(Window(4.0, 10, 2000, 1000, DELAY)), readings(), {"gateway": 1000})
    assert measured.cpu_us_per_delta == {"gateway": 250.0, "client": 50.0}
    assert measured.kb_per_stream == {"gateway": 40.0}
    assert (measured.deltas_per_s, measured.deltas_per_event) == (500.0, 2.0)
    assert (measured.cores_busy, measured.cores_elsewhere) == (0.15, 0.5)
    assert (measured.answers.asked, measured.answers.complete, measured.answers.unfinished) == (10, 9, 1)


def test_without_a_window_of_some_length_only_the_answers_count() -> None:
    short = Window(0.1, 10, 50, 50, DELAY)
    for window in (None, short):
        measured = figures(outcome(window), readings(), {"gateway": 1000})
        assert measured.answers.complete == 9
        assert measured.first_delta_ms == DELAY
        assert measured.cpu_us_per_delta is None
        assert measured.delay_ms is None


def test_what_the_system_used_for_whole_answers_is_divided_by_all_that_arrived() -> None:
    for window in (None, Window(4.0, 10, 2000, 1000, DELAY)):
        assert figures(outcome(window), readings(), {"gateway": 1000}).cpu_us_per_delta_whole == {"gateway": 500.0}


def test_without_a_delta_nothing_is_divided() -> None:
    nothing = msgspec.structs.replace(outcome(None), deltas=0)
    assert figures(nothing, readings(), {"gateway": 1000}).cpu_us_per_delta_whole is None


def test_a_round_is_one_line() -> None:
    counts, used = AnswerCounts(10, 10, 0, 0, {}), {"gateway": 50.0, "worker": 2.0, "client": 9.0}
    measured = Round(counts, None, Spread(1, 2), 4.0, 200.0, 1.0, used, {"gateway": 16.0}, 0.5, 0.1)
    assert str(measured) == (
        "10 of 10 complete; µs a delta: gateway 50, worker 2, client 9; delay p50/p99 1/2 ms; "
        "200 deltas/s, 1 an event; cores elsewhere 0.1"
    )
    assert "try more --seconds" in str(Round(counts, None))
    brief = Round(counts, None, cpu_us_per_delta_whole={"gateway": 900.0})
    assert str(brief) == (
        "10 of 10 complete; µs a delta, with beginnings and ends: gateway 900; its streams were never open at once"
    )
