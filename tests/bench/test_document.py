"""The document, from rounds made by hand."""

import json

from bench.document import complete, document, spread_over, summary
from bench.options import read_options
from bench.rest import Rest
from bench.rounds import Answers, Round
from bench.spread import Spread

GOOD = Answers(asked=10, complete=10, incorrect=0, unfinished=0, wrong={})
BAD = Answers(asked=10, complete=7, incorrect=2, unfinished=1, wrong={"500 未知错误": 2})


def made(cpu: float, delay: float, answers: Answers = GOOD) -> Round:
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
    found = summary([made(50, 1), made(90, 3, BAD), made(60, 2)])
    assert found["answers"] == {"asked": 30, "complete": 27, "incorrect": 2, "unfinished": 1}
    assert found["figures"]["cpu_us_per_delta"] == {"gateway": [50, 60, 90], "client": [10, 10, 10]}
    assert found["figures"]["delay_ms"] == {"p50": [1, 2, 3], "p99": [2, 4, 6]}


def test_a_round_without_a_window_counts_only_for_its_answers() -> None:
    lost = Round(BAD, None)
    found = summary([lost, made(50, 1)])
    assert found["answers"]["asked"] == 20
    assert found["figures"]["cpu_us_per_delta"]["gateway"] == [50, 50, 50]
    assert summary([lost])["figures"]["cpu_us_per_delta"] is None
    assert spread_over([]) is None


def test_the_document_is_json_and_keeps_what_is_wrong_with_answers() -> None:
    found = document(read_options([]), None, {"path sse 300": [made(50, 1, BAD)]}, {}, {})
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(found, ensure_ascii=False))
    assert found["compared"]["path sse 300"]["rounds"][0]["answers"]["wrong"] == {"500 未知错误": 2}
    assert not complete(found)


def test_a_document_is_complete_only_when_the_standalone_process_answered_all_too() -> None:
    rounds = {"path sse 300": [made(50, 1)]}
    first = {"path": Spread(3, 4), "floor": Spread(1, 2), "standalone": Spread(9, 10)}
    assert complete(document(read_options([]), None, rounds, {}, {}))
    assert complete(document(read_options([]), Rest(Spread(1, 1), first, made(1, 1)), rounds, {}, {}))
    assert not complete(document(read_options([]), Rest(Spread(1, 1), first, made(1, 1, BAD)), rounds, {}, {}))
