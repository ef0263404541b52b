"""The Markdown table."""

import msgspec

from bench.clients.spread import Spread
from bench.measure.first_text import STEPS, FirstText
from bench.measure.saturation import SaturationStep
from bench.report.table import _first_text, table
from tests.support.bench.documents import DOCUMENT


def test_the_table_shows_what_was_measured_beside_its_goal() -> None:
    text = table(DOCUMENT)
    assert "| gateway CPU per delta, SSE, over the floor's | ≤ 1.25× | 1.62× (1.25–2) | **missed** |" in text
    assert "| gateway CPU per delta, SSE, over the plain way's | ≤ 0.55× | not measured | |" in text
    assert "| path sse 300 | 55 (50–60) | 2 |" in text
    assert "Redis of path sse 300: 40 kB an answer; µs a command × commands a delta: evalsha 40 × 1.1." in text


def test_each_saturated_transport_has_its_steps_in_the_table() -> None:
    step = SaturationStep(300, 6000.0, 1.1, Spread(1, 2), {"gateway": 0.15}, 0.0, "late")
    text = table(DOCUMENT | {"saturation": msgspec.to_builtins({"sse": [step], "ws": [step, step]})})
    assert text.count("| sse 300 | 6,000 | 1.1 | 1/2 | gateway 0.15 | late |") == 1
    assert text.count("| ws 300 | 6,000 | 1.1 | 1/2 | gateway 0.15 | late |") == 2


def test_the_way_to_the_first_text_is_in_the_table_step_by_step() -> None:
    rest = msgspec.to_builtins({"first_text": FirstText({"enqueue": 810, "take": 700}, 950)})
    rows = _first_text(rest["first_text"]).splitlines()
    assert rows[2:] == [
        f"| `enqueue` | 810 | {STEPS['enqueue']} |",
        f"| `take` | 700 | {STEPS['take']} |",
        "| before and after | 950 | the client, the gateway, and what Redis publishes |",
    ]
