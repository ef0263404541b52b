"""Which loads a run consists of."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.clients.transports import CompletionsTarget
from bench.measure.cases import Case, compared_cases, grown_cases, largest_cases, served_cases
from bench.options import read_options
from bench.systems.path import System

PATH = {f"path {transport}": System("path", [1], {}, transport=transport) for transport in ("sse", "ws")}
FLOOR = {f"floor {transport}": System("floor", [1], {}, transport=transport) for transport in ("sse", "ws")}
OTHERS = {f"{name} sse": System(name, [1], {}) for name in ("edgegpt", "edgegpt alone", "plain", "synthetic alone")}
SYSTEMS = PATH | FLOOR | OTHERS


def served(name: str, transport: str = "openai") -> System:
    return System(name, [1], {"upstream": [1]}, transport=transport)


SERVED = {
    "ours openai": served("ours"),
    "ours sse": served("ours", "sse"),
    "nginx openai": served("nginx"),
    "litellm openai": served("litellm"),
}
TWO, FOUR = ({f"path x{count} sse": System(f"path x{count}", [1] * count, {})} for count in (2, 4))


def names(cases: list[Case]) -> list[str]:
    return [case.name for case in cases]


def test_all_sides_are_asked_alike_at_the_first_count() -> None:
    cases = compared_cases(read_options(["--streams", "300,50"]), SYSTEMS)
    assert names(cases) == [
        "path sse 300",
        "path ws 300",
        "floor sse 300",
        "floor ws 300",
        "edgegpt sse 300",
        "edgegpt alone sse 300",
        "plain sse 300",
        "synthetic alone sse 300",
    ]
    assert {case.rate for case in cases} == {20.0}


def test_only_the_ways_that_are_wanted_are_compared() -> None:
    cases = compared_cases(read_options(["--transports", "ws"]), PATH | FLOOR)
    assert names(cases) == ["path ws 300", "floor ws 300"]


def test_two_gateways_share_the_streams_of_one_and_then_have_as_many_each() -> None:
    cases = compared_cases(read_options(["--gateways", "1,2,4"]), PATH | TWO | FOUR)[2:]
    assert names(cases) == ["path x2 sse 300", "path x2 sse 600", "path x4 sse 300"]
    assert {case.rate for case in cases} == {20.0}


def test_two_gateways_beside_more_than_one_only_share() -> None:
    cases = compared_cases(read_options(["--gateways", "4,2"]), PATH | TWO)[2:]
    assert names(cases) == ["path x2 sse 300"]


def test_before_the_model_server_all_are_asked_at_two_counts_but_litellm_only_by_few() -> None:
    options = read_options([])
    assert names(compared_cases(options, PATH | SERVED)) == names(compared_cases(options, PATH))
    assert names(served_cases(options, PATH | SERVED)) == [
        "ours openai 100",
        "ours sse 100",
        "nginx openai 100",
        "ours openai 20",
        "nginx openai 20",
        "litellm openai 20",
        "ours openai flow",
        "nginx openai flow",
        "litellm openai flow",
        "ours openai brief",
    ]
    assert served_cases(options, PATH) == []


def test_the_path_of_another_commit_is_also_compared_before_the_model_server() -> None:
    before = {f"ours before {transport}": served("ours before", transport) for transport in ("openai", "sse")}
    cases = served_cases(read_options([]), SERVED | before)
    assert names(cases)[-2:] == ["ours openai brief", "ours before openai brief"]
    assert {"ours before openai 100", "ours before sse 100"} < set(names(cases))


def test_in_a_flow_as_many_answers_begin_in_a_second_as_are_open_at_a_time() -> None:
    plan = next(case.plan for case in served_cases(read_options([]), SERVED) if case.name == "ours openai flow")
    assert plan.streams / plan.opening * (plan.deltas / plan.rate) == pytest.approx(20)


def test_in_a_flow_the_pieces_of_answers_do_not_come_at_once() -> None:
    plan = next(case.plan for case in served_cases(read_options([]), SERVED) if case.name == "ours openai flow")
    phases = {round(number * plan.opening / plan.streams * plan.rate % 1, 3) for number in range(20)}
    assert len(phases) == 20


def test_a_side_is_asked_as_it_wants_to_be() -> None:
    target = CompletionsTarget("/elsewhere")
    assert Case(System("peer", [1], {}, transport="openai", target=target), 5, 20.0, 1.0).plan.target == target


def test_our_path_grows_at_the_same_deltas_a_second() -> None:
    cases = grown_cases(read_options(["--streams", "300,2000,50"]), SYSTEMS)
    assert names(cases) == ["path sse 50", "path sse 300", "path sse 2000"]
    assert [case.rate * case.streams for case in cases] == [1000, 6000, 6000]
    assert grown_cases(read_options(["--streams", "300"]), SYSTEMS) == []


def test_the_floor_is_beside_the_most_streams_of_our_path_over_each_transport() -> None:
    cases = largest_cases(read_options(["--streams", "300,2000,50"]), SYSTEMS | TWO)
    assert names(cases) == ["path ws 2000", "floor sse 2000", "floor ws 2000"]
    assert {case.rate * case.streams for case in cases} == {6000}
    assert names(largest_cases(read_options(["--streams", "9,50", "--transports", "sse"]), SYSTEMS)) == ["floor sse 50"]
    assert largest_cases(read_options(["--streams", "300"]), SYSTEMS) == []


@pytest.mark.parametrize("streams", [20, 300, 2000])
def test_all_streams_are_open_for_the_whole_window(streams: int) -> None:
    plan = Case(SYSTEMS["path sse"], streams, 3.0, 4.0).plan
    assert plan.deltas / plan.rate - plan.opening >= 4.0
    assert streams / plan.opening <= 150
    assert plan.limit > plan.opening + plan.deltas / plan.rate


def test_the_path_of_another_commit_is_asked_over_the_wanted_transports() -> None:
    before = {f"before {transport}": System("before", [1], {}, transport=transport) for transport in ("sse", "ws")}
    options = replace(read_options(["--transports", "sse", "--streams", "300,50"]), before=Path("before"))
    assert names(compared_cases(options, PATH | before | FLOOR)) == [
        "path sse 300",
        "before sse 300",
        "floor sse 300",
        "path sse brief",
        "before sse brief",
    ]
    assert names(largest_cases(options, PATH | before | FLOOR)) == ["floor sse 300"]


def test_beginnings_and_ends_are_asked_for_with_answers_of_one_delta() -> None:
    before = {f"before {transport}": System("before", [1], {}, transport=transport) for transport in ("sse", "ws")}
    options = read_options(["--transports", "sse", "--rest"])
    path, earlier = compared_cases(options, PATH | before)[-2:]
    assert (path.plan, path.plan.deltas) == (earlier.plan, 1)
    assert path.plan.streams / path.plan.opening <= 150
    assert names(compared_cases(options, PATH))[1:] == ["path sse brief"]
