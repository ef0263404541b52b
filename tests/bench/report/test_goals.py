"""Goals are judged by the ratios of each round."""

from typing import Any

import pytest

from bench.report.goal import Goal
from bench.report.goals import goals


def rounds(*cpu: dict[str, float], delay: float = 1.0, kb: float = 10.0) -> dict[str, Any]:
    figures = [
        {
            "cpu_us_per_delta": costs or None,
            "cpu_us_per_delta_whole": {role: 2 * cost for role, cost in costs.items()} or None,
            "delay_ms": {"p50": delay, "p99": 4 * delay},
            "kb_per_stream": {"gateway": kb},
            "first_delta_ms": {"p50": delay, "p99": 5 * delay},
        }
        for costs in cpu
    ]
    return {"rounds": figures}


def judge(
    rest: Any = None,
    grown: Any = None,
    gateways: Any = (1,),
    streams: Any = (300,),
    **compared: Any,
) -> dict[str, Goal]:
    named = {name.replace("_", " "): case for name, case in compared.items()}
    settings = {"streams": streams, "gateways": gateways}
    document = {"settings": settings, "compared": named, "grown": grown or {}, "served": {}, "rest": rest}
    return {goal.figure: goal for goal in goals(document)}


def find_goal(goals: dict[str, Goal], *words: str) -> Goal:
    [goal] = [goal for figure, goal in goals.items() if all(word in figure for word in words)]
    return goal


def test_a_ratio_is_the_median_of_the_rounds_not_a_ratio_of_medians() -> None:
    judged = judge(
        path_sse_300=rounds({"gateway": 40}, {"gateway": 300}, {"gateway": 90}),
        floor_sse_300=rounds({"gateway": 20}, {"gateway": 100}, {"gateway": 90}),
    )
    goal = find_goal(judged, "SSE", "floor")
    assert goal.measured == (1.0, 2.0, 3.0)
    assert goal.met is False


def test_a_goal_of_which_a_side_is_missing_is_neither_met_nor_missed() -> None:
    goal = find_goal(judge(path_sse_300=rounds({"gateway": 40})), "plain")
    assert (goal.measured, goal.met) == (None, None)


def test_a_round_without_a_window_does_not_count() -> None:
    judged = judge(path_sse_300=rounds({"gateway": 40}, {}), floor_sse_300=rounds({"gateway": 40}, {"gateway": 1}))
    assert find_goal(judged, "SSE", "floor").measured == (1.0, 1.0, 1.0)


def test_the_append_path_is_what_is_left_without_the_generator() -> None:
    alone = {"synthetic alone sse 300": rounds({"client": 10.0})}
    judged = judge(
        path_sse_300=rounds({"gateway": 1, "worker": 30}), plain_sse_300=rounds({"gateway": 1, "worker": 90}), **alone
    )
    assert find_goal(judged, "append").measured == (0.25, 0.25, 0.25)


def test_the_first_delta_may_take_four_round_trips_and_a_millisecond() -> None:
    spread = {"p50": 0.5, "p99": 9.0}
    first = {"path": {"p50": 4.0}, "floor": {"p50": 1.0}, "standalone": {"p99": 20.0}}
    standalone = rounds({"gateway": 1})["rounds"][0]
    judged = judge({"redis_round_trip_ms": spread, "first_delta_ms": first, "standalone": standalone})
    goal = find_goal(judged, "first delta")
    assert (goal.bound, goal.measured, goal.met) == (3.0, (3.0, 3.0, 3.0), True)
    assert find_goal(judged, "first frame").met
    assert find_goal(judged, "50 answers").measured == (5.0, 5.0, 5.0)


@pytest.mark.parametrize(("kb", "met"), [(16.0, True), (16.1, False)])
def test_memory_is_held_against_its_bound(kb: float, met: bool) -> None:
    assert find_goal(judge(path_sse_300=rounds({"gateway": 1}, kb=kb)), "memory", "SSE").met is met


def test_memory_is_judged_at_the_largest_count_too() -> None:
    grown = {"path ws 2000": rounds({"gateway": 1}, kb=30.0), "path sse 2000": rounds({"gateway": 1}, kb=15.0)}
    judged = judge(path_sse_300=rounds({"gateway": 1}, kb=17.0), grown=grown, streams=(300, 2000))
    assert [
        find_goal(judged, "memory", "SSE", "at 2,000").met,
        find_goal(judged, "memory", "WebSocket", "at 2,000").met,
    ] == [
        True,
        False,
    ]
    assert judged["gateway's memory per open stream, SSE"].met is False


def test_two_gateways_are_compared_with_one_with_half_and_all_of_its_streams_each() -> None:
    sides = {"path_sse_300": 10.0, "path_x2_sse_300": 12.0, "path_x2_sse_600": 11.0, "path_x4_sse_300": 15.0}
    costs = {name: rounds({"gateway": cost}) for name, cost in sides.items()}
    judged = judge(gateways=(1, 2, 4), **costs)
    assert find_goal(judged, "two gateways that share").measured == (1.2, 1.2, 1.2)
    assert find_goal(judged, "two gateways, each with as many").measured == (1.1, 1.1, 1.1)
    assert find_goal(judged, "four gateways that share").measured == (1.5, 1.5, 1.5)


@pytest.mark.parametrize("gateways", [(1,), (2,), (2, 4)])
def test_without_one_gateway_beside_more_there_is_no_goal_of_them(gateways: tuple[int, ...]) -> None:
    assert not [figure for figure in judge(gateways=gateways) if "gateways" in figure]


def test_each_role_is_compared_with_that_of_the_other_commit() -> None:
    now, before = {"gateway": 22.0, "worker": 30.0, "redis": 10.0}, {"gateway": 20.0, "worker": 30.0, "redis": 20.0}
    judged = judge(path_sse_300=rounds(now, kb=10.1), before_sse_300=rounds(before, kb=10.0))
    compared = {figure: goal for figure, goal in judged.items() if "before" in figure}
    assert len(compared) == 8
    gateway, worker, redis = (find_goal(compared, f"{role} CPU") for role in ("gateway", "worker", "redis"))
    assert (gateway.measured, gateway.met) == ((1.1, 1.1, 1.1), False)
    assert (worker.met, redis.met, find_goal(compared, "gateway memory").met) == (True, True, True)


def test_a_questions_beginning_and_end_is_compared_over_all_processes() -> None:
    now, before = {"gateway": 5.0, "worker": 2.0, "redis": 1.0}, {"gateway": 4.0, "worker": 4.0, "redis": 2.0}
    usual = {"path_sse_300": rounds(now), "before_sse_300": rounds(now)}
    judged = judge(path_sse_brief=rounds(now), before_sse_brief=rounds(before), **usual)
    goal = find_goal(judged, "question's beginning")
    assert (goal.measured, goal.bound) == ((0.8, 0.8, 0.8), 0.5)


def test_all_processes_together_are_compared_with_those_of_the_other_commit() -> None:
    now, before = {"gateway": 5.0, "worker": 2.0, "redis": 1.0}, {"gateway": 4.0, "worker": 4.0, "redis": 2.0}
    judged = judge(path_sse_300=rounds(now), before_sse_300=rounds(before))
    goals = [goal for figure, goal in judged.items() if "all processes' CPU" in figure]
    assert [(goal.measured, goal.bound) for goal in goals] == [((0.8, 0.8, 0.8), 0.75)] * 2


def test_without_another_commit_nothing_is_compared_with_it() -> None:
    assert not [figure for figure in judge(path_sse_300=rounds({"gateway": 1.0})) if "before" in figure]
