"""The document, from rounds made by hand."""

from bench.report import document, ratios, summary
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


def test_figures_are_medians_and_counts_are_sums() -> None:
    found = summary([made(50, 1), made(90, 3, BAD), made(60, 2)])
    assert found["answers"] == {"asked": 30, "complete": 27, "incorrect": 2, "unfinished": 1}
    assert found["cpu_us_per_delta"] == {"gateway": 60, "client": 10}
    assert found["delay_ms"] == {"p50": 2, "p99": 4}


def test_ratios_are_medians_of_pairs_not_ratios_of_medians() -> None:
    found = ratios([made(40, 1), made(300, 2), made(90, 3)], [made(20, 1), made(100, 1), made(90, 1)])
    assert found["gateway_cpu"] == 2
    assert found["delay_p50"] == 2
    assert found["gateway_kb_per_stream"] == 1


def test_a_round_without_a_window_counts_only_for_its_answers() -> None:
    lost = Round(BAD, None)
    found = summary([lost, made(50, 1)])
    assert found["answers"]["asked"] == 20
    assert found["cpu_us_per_delta"]["gateway"] == 50
    assert ratios([lost, made(50, 1)], [made(25, 1), made(25, 1)])["gateway_cpu"] == 2
    assert summary([lost])["cpu_us_per_delta"] is None
    assert ratios([lost], [made(25, 1)])["gateway_cpu"] is None


def test_the_document_keeps_what_is_wrong_with_answers() -> None:
    found = document({"streams": 10}, 2, [made(50, 1, BAD)], [made(25, 1)])
    assert found["settings"]["streams"] == 10
    assert found["rounds"]["path"][0]["answers"]["wrong"] == {"500 未知错误": 2}
