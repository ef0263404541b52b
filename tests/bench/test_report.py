"""What people read."""

import msgspec
import pytest

from bench import report
from bench.document import document
from bench.errors import BenchError
from bench.options import read_options
from bench.rounds import Answers, Round
from bench.saturation import Step
from bench.spread import Spread
from bench.store import Command

ANSWERS = Answers(10, 10, 0, 0, {})


def made(cpu: float) -> Round:
    used, commands = {"gateway": cpu, "worker": 2.0, "client": 9.0}, {"evalsha": Command(1.1, 40.0)}
    return Round(ANSWERS, None, Spread(1, 2), 4.0, 200.0, 1.0, used, {"gateway": 16.0}, 0.5, 0.1, commands, 40.0)


FOUND = document(
    read_options(["--rounds", "2"]),
    None,
    {"path sse 300": [made(50), made(60)], "floor sse 300": [made(40), made(30)]},
    {},
    {},
)


def test_the_table_says_what_was_measured_beside_its_goal() -> None:
    told = report.table(FOUND)
    assert "| gateway CPU per delta, SSE, over the floor's | ≤ 1.5× | 1.62× (1.25–2) | **missed** |" in told
    assert "over LiteLLM's at 20 answers | ≤ 0.1× | not measured | |" in told
    assert "| path sse 300 | 55 (50–60) | 2 |" in told
    assert "Redis of path sse 300: 40 kB an answer; µs a command × commands a delta: evalsha 40 × 1.1." in told


def test_there_is_a_picture_of_each_part() -> None:
    assert list(report.pictures(FOUND)) == ["compared-cpu.svg", "compared-delay.svg"]


def test_a_page_keeps_what_stands_around_the_marks() -> None:
    page = "before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n"
    assert report.filled(page, "new\n") == "before\n<!-- measured -->\n\nnew\n\n<!-- /measured -->\nafter\n"
    assert report.filled(report.filled(page, "x"), "new") == report.filled(page, "new")
    with pytest.raises(BenchError):
        report.filled("no marks", "new")


def test_a_round_is_one_line() -> None:
    assert report.line(made(50)) == (
        "10 of 10 complete; µs a delta: gateway 50, worker 2, client 9; delay p50/p99 1/2 ms; "
        "200 deltas/s, 1 an event; cores elsewhere 0.1"
    )
    assert "try more --seconds" in report.line(Round(ANSWERS, None))


def test_each_way_that_was_filled_has_its_steps_in_the_table_and_in_the_picture() -> None:
    step = Step(300, 6000.0, 1.1, Spread(1, 2), {"gateway": 0.15}, 0.0, "late")
    found = FOUND | {"saturation": msgspec.to_builtins({"sse": [step], "ws": [step, step]})}
    told = report.table(found)
    assert told.count("| sse 300 | 6,000 | 1.1 | 1/2 | gateway 0.15 | late |") == 1
    assert told.count("| ws 300 | 6,000 | 1.1 | 1/2 | gateway 0.15 | late |") == 2
    drawn = report.pictures(found)["saturation.svg"]
    assert (drawn.count("sse, 6,000 deltas/s"), drawn.count("ws, 6,000 deltas/s")) == (1, 2)
