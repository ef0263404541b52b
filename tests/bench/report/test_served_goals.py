"""Our path before a model server is held against what had the same load."""

from typing import Any

import pytest

from bench.report.goal import Goal
from bench.report.served_goals import served_goals


def case(cpu: dict[str, float], first: float = 2.0, kb: float = 20.0) -> dict[str, Any]:
    figures = {
        "cpu_us_per_delta": cpu,
        "cpu_us_per_delta_whole": {role: 2 * cost for role, cost in cpu.items()},
        "first_delta_ms": {"p50": first, "p99": 9.0},
        "kb_per_stream": dict.fromkeys(cpu, kb),
    }
    return {"rounds": [figures]}


def judge(served: dict[str, Any]) -> dict[str, Goal]:
    settings = {"streams": (300,)}
    return {goal.figure: goal for goal in served_goals({"settings": settings, "served": served})}


def measured(goals: dict[str, Goal], *words: str) -> tuple[float, float]:
    [goal] = [goal for figure, goal in goals.items() if all(word in figure for word in words)]
    assert goal.measured is not None
    return goal.measured[1], goal.bound


def ours(cost: float, **others: float) -> dict[str, Any]:
    return case({"gateway": cost, "worker": cost, "redis": cost, "upstream": 1000.0, "client": 1000.0}, **others)


@pytest.mark.parametrize(
    ("side", "words", "bound"),
    [
        ("portkey openai 100", ("100", "over Portkey's"), 1.0),
        ("tensorzero openai 100", ("100", "CPU", "over TensorZero's"), 2.5),
        ("litellm openai 20", ("20", "over LiteLLM's", "ends"), 0.1),
    ],
)
def test_all_of_ours_is_held_against_all_of_theirs(side: str, words: tuple[str, ...], bound: float) -> None:
    theirs = case({"gateway": 20.0, "upstream": 9.0, "client": 9.0})
    goals = judge({"ours openai 100": ours(10.0), "ours openai 20": ours(10.0), side: theirs})
    assert measured(goals, *words) == (1.5, bound)


def test_each_way_of_asking_is_held_against_the_commit_before() -> None:
    sides = ("openai 100", "openai 20", "sse 100", "openai brief")
    before = {f"ours before {side}": ours(20.0) for side in sides}
    goals = judge({f"ours {side}": ours(10.0) for side in sides} | before)
    compared = {figure: goal for figure, goal in goals.items() if "over that before" in figure}
    assert [goal.measured for goal in compared.values()] == [(0.5, 0.5, 0.5)] * 4
    assert [goal.bound for goal in compared.values()] == [0.4, 0.45, 0.4, 0.5]


def test_the_first_chunk_and_the_memory_have_bounds_of_their_own() -> None:
    goals = judge(
        {
            "ours openai 100": ours(1.0, kb=30.0),
            "ours openai flow": ours(1.0, first=2.4),
            "tensorzero openai flow": case({"gateway": 1.0}, first=1.2),
            # Here nobody has left a connection open.
            "ours openai 20": ours(1.0, first=9.0),
        }
    )
    assert measured(goals, "memory") == (90.0, 80)
    assert goals["/v1 before a model server, first chunk, p50, 20 answers, connections left open"].met
    assert measured(goals, "first chunk", "over TensorZero's") == (2.0, 3.0)


def test_without_a_model_server_there_are_none() -> None:
    assert judge({}) == {}
