"""What is read out of an overloaded path's figures."""

import msgspec
import pytest

from bench.clients.spread import Spread
from bench.overload.crowd import (
    MemorySample,
    OverloadFigures,
    fifths,
    growth,
    is_bounded,
    judge_overload,
    questions,
    readers,
)
from bench.overload.plan import GroupOutcome, Second


def outcome(**changes: object) -> GroupOutcome:
    whole = GroupOutcome(10, 8, {"503, code 503, Retry-After": 2}, 0, {}, 2.0, Spread(1, 2), Spread(1, 2), [])
    return msgspec.structs.replace(whole, **changes)


def samples(*kb: int) -> list[MemorySample]:
    return [MemorySample(float(at), {"gateway": used}) for at, used in enumerate(kb)]


def test_fifths_are_of_the_time_in_which_was_asked() -> None:
    seconds = [Second(at, 1, 1, Spread(1, at)) for at in range(12)]
    assert fifths(outcome(seconds=seconds), 10) == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("p99s", [[100, 900, 300, 800, 999], [2000, 5000, 5000, 5100, 4000], [9000, 9000]])
def test_delay_that_does_not_grow_or_is_short_is_bounded(p99s: list[float]) -> None:
    assert is_bounded(p99s)


def test_delay_that_grows_steadily_is_not_bounded() -> None:
    assert not is_bounded([1300, 3900, 6600, 9600, 12600])


def test_memory_grows_if_the_last_third_has_more_than_the_middle_one() -> None:
    assert growth(samples(50, 80, 100, 100, 100, 100, 100, 100, 0), "gateway") == 0
    assert growth(samples(50, 80, 100, 100, 100, 100, 150, 150, 0), "gateway") == 0.5
    assert growth(samples(1, 2), "gateway") is None


@pytest.mark.parametrize(
    ("measured", "missed"),
    [
        (outcome(), None),
        (outcome(unfinished=1), "every answer that was accepted is complete"),
        (outcome(wrong={"500 x": 1}), "every answer that was accepted is complete"),
        (outcome(refused={"503, code 503, no Retry-After": 1}), "every refusal has Retry-After"),
        (outcome(deltas_per_event=1.0), "pieces were merged"),
    ],
)
def test_what_is_not_as_required_is_named(measured: GroupOutcome, missed: str | None) -> None:
    judged = judge_overload(OverloadFigures(1.0, measured, [1.0], samples(1, 1, 1), {}))
    assert [name for name, so in judged.items() if not so] == ([missed] if missed else [])


def test_a_gateway_that_is_full_need_not_merge() -> None:
    figures = OverloadFigures(1.0, outcome(deltas_per_event=1.0), [1.0], samples(1, 1, 1), {})
    assert all(judge_overload(figures, merging=False).values())


@pytest.mark.parametrize(("role", "flat"), [("gateway", False), ("redis_used", True)])
def test_redis_may_hold_more_of_answers_that_last_as_long_as_a_gateway_is_full(role: str, flat: bool) -> None:
    kb = [{"gateway": 1, "redis_used": 1} | {role: grown} for grown in (1, 1, 2)]
    memory = [MemorySample(float(at), sample) for at, sample in enumerate(kb)]
    assert judge_overload(OverloadFigures(1.0, outcome(), [1.0], memory, {}), merging=False)["memory is flat"] is flat
    assert not judge_overload(OverloadFigures(1.0, outcome(), [1.0], memory, {}))["memory is flat"]


def test_only_a_longer_crowd_is_more_than_there_are_slots() -> None:
    assert questions(50)(10, 4).count == 50
    pressing = questions(50)(10, 20)
    assert pressing.count == 400
    assert pressing.count * pressing.every == 20


def test_many_read_each_of_a_few_answers() -> None:
    group = readers(10, 20)
    assert group.readers > group.count
    assert group.answer_s == 20
