"""What a process carries is divided out of what was measured."""

import msgspec

from bench.measure.rounds import Round
from bench.options import read_options
from bench.report.capacity import carried_tables, needed_tables
from bench.report.document import make_document
from tests.support.bench.documents import DOCUMENT, make_round


def made(**used: float) -> list[Round]:
    return [msgspec.structs.replace(make_round(1.0), cpu_us_per_delta=used, cpu_us_per_delta_whole=used)]


def test_what_a_core_carries_is_a_share_of_it_over_what_a_delta_costs() -> None:
    text = carried_tables(DOCUMENT)
    assert (
        '| *g* | gateway, CPU a delta, SSE | `compared["path sse 300"].figures.cpu_us_per_delta.gateway` | 55' in text
    )
    assert "| gateway core | deltas a second | u · 10⁶ / g | 10,900 |" in text
    assert "| GB in Redis | answers that are kept | 10⁶ / mr | 25,000 |" in text


def test_what_was_not_measured_is_marked_so() -> None:
    text = carried_tables(DOCUMENT)
    assert "with EdgeGPT not measured |" in text
    assert ".redis_kb_per_answer` | 40 kB |" in text
    assert '`compared["path ws 300"].figures.cpu_us_per_delta.gateway` | not measured |' in text


def test_a_load_needs_the_cores_of_its_chunks_and_of_its_questions() -> None:
    served = {
        "ours openai 100": made(gateway=50.0, worker=100.0, redis=40.0),
        "ours openai brief": made(gateway=3000.0, worker=3000.0, redis=1500.0),
    }
    document = make_document(read_options([]), None, {}, {}, {}, served, {})
    rows = needed_tables(document).splitlines()
    # A second of 1,000 streams: 20,000 chunks, and 33 questions.
    assert "| 1,000 × 20, 30 | 1.1 | 2.1 | 0.85 | 2 | 4 | 2 |" in rows
    # Answers of 3 s: ten times as many questions.
    assert "| 1,000 × 20, 3 | 2 | 3 | 1.3 | 4 | 5 | 3 |" in rows
