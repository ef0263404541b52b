"""What more gateways and more answers cost, and what the two sizes on paper need."""

import msgspec

from bench.options import read_options
from bench.report.document import make_document
from bench.report.growth import growth_tables, sizes_table
from tests.support.bench.documents import DOCUMENT, make_round


def test_gateways_are_held_against_one() -> None:
    compared = {"path sse 300": [make_round(50)], "path x2 sse 300": [make_round(60)]}
    rows = growth_tables(make_document(read_options([]), None, compared, {}, {}, {}, {})).splitlines()
    assert '| 2 that share the streams (`compared["path x2 sse 300"]`) | 60 µs | 1.2 |' in rows
    assert '| 4 that share the streams (`compared["path x4 sse 300"]`) | not measured |  |' in rows


def test_each_count_of_answers_has_a_column() -> None:
    grown = {"path sse 50": [make_round(70)], "path sse 2000": [make_round(50)], "path ws 2000": [make_round(60)]}
    rows = growth_tables(make_document(read_options([]), None, {}, grown, {}, {}, {})).splitlines()
    assert "| answers at once (`grown`) | 50 | 2,000 |" in rows
    assert "| gateway, CPU a delta, µs | 70 | 50 |" in rows


def test_the_two_sizes_are_made_of_what_was_measured() -> None:
    used = {"gateway": 30.0, "worker": 30.0, "redis": 20.0}
    memory = {"gateway": 15.0, "worker": 30.0}
    whole = {"redis": 1200.0}
    round_ = msgspec.structs.replace(
        make_round(1.0), cpu_us_per_delta=used, kb_per_stream=memory, cpu_us_per_delta_whole=whole
    )
    compared, grown = {"path sse 300": [round_], "path sse brief": [round_]}, {"path sse 2000": [round_]}
    rows = sizes_table(make_document(read_options([]), None, compared, grown, {}, {}, {})).splitlines()
    assert "| gateway cores (processes) | N · d · g / (u · 10⁶) | 100 | 1,000 |" in rows
    # 20 · 20 µs of deltas and 1,200 / 30 µs of questions.
    assert "| Redis primaries (S), with a replica each | N · (d · r + q / T) / (u · 10⁶) | 74 | 734 |" in rows
    assert "| memory of Redis, of the primaries | N · (1 + ANSWER_TTL / T) · mr | 12.0 GB | 120.0 GB |" in rows


def test_without_all_of_it_there_is_nothing_on_paper() -> None:
    assert sizes_table(DOCUMENT) == ""
