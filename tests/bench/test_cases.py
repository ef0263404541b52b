"""Which loads a run consists of."""

import pytest

from bench.cases import Case, compared, grown
from bench.options import read_options
from bench.systems import System

NAMES = ("path", "path x2", "edgegpt", "edgegpt alone", "floor", "plain", "synthetic alone")
SYSTEMS = {name: System(name, [1], {}) for name in NAMES}


def names(found: list[Case]) -> list[str]:
    return [case.name for case in found]


def test_all_sides_are_asked_alike_at_the_first_count() -> None:
    found = compared(read_options(["--streams", "300,50"]), SYSTEMS)
    assert names(found) == [
        "path sse 300",
        "path ws 300",
        "path x2 sse 300",
        "edgegpt sse 300",
        "edgegpt alone sse 300",
        "floor sse 300",
        "floor ws 300",
        "plain sse 300",
        "synthetic alone sse 300",
    ]
    assert {case.rate for case in found} == {20.0}


def test_litellm_is_asked_by_few_and_our_path_beside_it_by_as_many() -> None:
    found = compared(read_options([]), {"path": SYSTEMS["path"], "litellm": System("litellm", [1], {})})
    assert names(found)[-2:] == ["litellm openai 20", "path sse 20"]


def test_our_path_grows_at_the_same_deltas_a_second() -> None:
    found = grown(read_options(["--streams", "300,2000,50"]), SYSTEMS)
    assert names(found) == ["path sse 50", "path sse 300", "path sse 2000"]
    assert [case.rate * case.streams for case in found] == [1000, 6000, 6000]
    assert grown(read_options(["--streams", "300"]), SYSTEMS) == []


@pytest.mark.parametrize("streams", [20, 300, 2000])
def test_all_streams_are_open_for_the_whole_window(streams: int) -> None:
    plan = Case(SYSTEMS["path"], "sse", streams, 3.0, 4.0).plan
    assert plan.deltas / plan.rate - plan.opening >= 4.0
    assert streams / plan.opening <= 200
    assert plan.limit > plan.opening + plan.deltas / plan.rate
