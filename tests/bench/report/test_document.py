"""The document, from rounds that are written by hand."""

import json

from bench.clients.spread import Spread
from bench.measure.first_text import FirstText
from bench.measure.idle import IdleFigures
from bench.measure.rounds import AnswerCounts, Round
from bench.options import read_options
from bench.report.document import is_complete, make_document, spread_over, summarize

GOOD = AnswerCounts(asked=10, complete=10, incorrect=0, unfinished=0, wrong={})
BAD = AnswerCounts(asked=10, complete=7, incorrect=2, unfinished=1, wrong={"500 未知错误": 2})


def make_round(cpu: float, delay: float, answers: AnswerCounts = GOOD) -> Round:
    return Round(
        answers,
        Spread(10 * delay, 20 * delay),
        Spread(delay, 2 * delay),
        5.0,
        200.0,
        1.0,
        {"gateway": cpu, "client": 10.0},
        {"gateway": 16.0},
        0.5,
        0.1,
    )


def test_figures_are_medians_between_extremes_and_counts_are_sums() -> None:
    summary = summarize([make_round(50, 1), make_round(90, 3, BAD), make_round(60, 2)])
    assert summary["answers"] == {"asked": 30, "complete": 27, "incorrect": 2, "unfinished": 1}
    assert summary["figures"]["cpu_us_per_delta"] == {"gateway": [50, 60, 90], "client": [10, 10, 10]}
    assert summary["figures"]["delay_ms"] == {"p50": [1, 2, 3], "p99": [2, 4, 6]}


def test_a_round_without_a_window_counts_only_for_its_answers() -> None:
    lost = Round(BAD, None)
    summary = summarize([lost, make_round(50, 1)])
    assert summary["answers"]["asked"] == 20
    assert summary["figures"]["cpu_us_per_delta"]["gateway"] == [50, 50, 50]
    assert summarize([lost])["figures"]["cpu_us_per_delta"] is None
    assert spread_over([]) is None


def test_the_document_is_json_and_keeps_what_is_wrong_with_answers() -> None:
    document = make_document(read_options([]), None, {"path sse 300": [make_round(50, 1, BAD)]}, {}, {}, {}, {})
    assert json.loads(json.dumps(document)) == json.loads(json.dumps(document, ensure_ascii=False))
    assert document["compared"]["path sse 300"]["rounds"][0]["answers"]["wrong"] == {"500 未知错误": 2}
    assert not is_complete(document)


def test_a_document_is_complete_only_when_the_standalone_process_answered_all_too() -> None:
    rounds = {"path sse 300": [make_round(50, 1)]}
    first = {"path": Spread(3, 4), "floor": Spread(1, 2), "standalone": Spread(9, 10)}
    assert is_complete(make_document(read_options([]), None, rounds, {}, {}, {}, {}))
    for answers in (GOOD, BAD):
        idle = IdleFigures(Spread(1, 1), first, FirstText({}, 1), make_round(1, 1, answers))
        assert is_complete(make_document(read_options([]), idle, rounds, {}, {}, {}, {})) == (answers is GOOD)
