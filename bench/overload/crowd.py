"""Too many questions at once: how much the path carries, and what becomes of twice as much."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from bench.measure.rounds import read_cpu
from bench.overload.ask import ask
from bench.overload.deployment import memory_kb
from bench.overload.plan import Group, GroupOutcome, OverloadPlan
from bench.systems.path import System

# The path is full when an event carries more pieces than this, or a piece is later than this: it no longer keeps up.
_MERGED = 1.1
_LATE_MS = 250.0
_SHORT_MS = 1000.0
# By which share memory may grow from the middle third of the time to the last.
_MEMORY_GROWTH = 0.1
_RATES = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
_STEP_S = 4.0
_SAMPLE_EVERY = 2.0
# What an answer may take beyond its own time before it counts as hung.
_HANG_S = 60.0
# An answer's length in seconds, and how many times as many questions come as find a slot.
_ANSWER_S = 5.0
_EXCESS = 2
# Few answers that each have many readers cost a gateway much and a worker little.
_READ_ANSWERS = 10
_READERS = 30


class MemorySample(msgspec.Struct, frozen=True):
    """Memory at a time, in seconds from the start: PSS, and what Redis reports; in kB."""

    at: float
    kb: dict[str, int]


class OverloadFigures(msgspec.Struct, frozen=True):
    """What became of twice as much as the path carries.

    rate: pieces a second of each answer. delay_p99_ms: of the pieces that arrived in each fifth of the time, the worst
    second's. cores: CPUs that each role kept busy.
    """

    rate: float
    outcome: GroupOutcome
    delay_p99_ms: list[float]
    memory: list[MemorySample]
    cores: dict[str, float]


# Makes a group of a rate (pieces a second of each answer) that asks for so many seconds.
Shape = Callable[[float, float], Group]


def questions(slots: int) -> Shape:
    """Ask for answers in all slots, and over a longer time more than find one: the worker is what gets full."""

    def group(rate: float, seconds: float) -> Group:
        if seconds <= _ANSWER_S:
            return Group("crowd", slots, 1 / slots, int(rate * seconds), rate)
        count = int(_EXCESS * slots * seconds / _ANSWER_S)
        return Group("crowd", count, seconds / count, int(rate * _ANSWER_S), rate)

    return group


def readers(rate: float, seconds: float) -> Group:
    """Ask for answers with many readers each: the gateway is what gets full."""
    return Group("crowd", _READ_ANSWERS, 1 / _READ_ANSWERS / 2, int(rate * seconds), rate, readers=_READERS)


async def find_full_rate(system: System, shape: Shape) -> float:
    """Return the first of the rates, in pieces a second of each answer, at which the path is full."""
    for rate in _RATES:
        plan = OverloadPlan(list(system.ports), [shape(rate, _STEP_S)], 1, _STEP_S, _STEP_S + _HANG_S)
        outcome = (await ask(plan))["crowd"]
        late = outcome.delay_ms is None or outcome.delay_ms.p50 > _LATE_MS
        if late or (outcome.deltas_per_event or 0) > _MERGED or outcome.complete < outcome.asked:
            return rate
    return _RATES[-1]


async def overload(system: System, shape: Shape, full: float, seconds: float) -> OverloadFigures:
    """Measure what becomes of `seconds` at twice the full rate."""
    before = read_cpu(system.roles)
    plan = OverloadPlan(list(system.ports), [shape(2 * full, seconds)], 1, seconds, seconds + _HANG_S)
    async with _memory_samples(system) as samples:
        outcome = (await ask(plan))["crowd"]
    used = read_cpu(system.roles).since(before)
    return OverloadFigures(
        rate=2 * full,
        outcome=outcome,
        delay_p99_ms=fifths(outcome, seconds),
        memory=samples,
        cores={role: round(busy / samples[-1].at, 2) for role, busy in used.roles.items()},
    )


def fifths(outcome: GroupOutcome, seconds: float) -> list[float]:
    """Return the worst second's p99 of delay in each fifth of the first `seconds`, in order."""
    known = [second.delay_ms.p99 for second in outcome.seconds if second.delay_ms and second.at < seconds]
    size = max(1, -(-len(known) // 5))
    return [max(known[start : start + size]) for start in range(0, len(known), size)]


@asynccontextmanager
async def _memory_samples(system: System) -> AsyncIterator[list[MemorySample]]:
    """Read the memory every few seconds while the body runs, and once when it is over."""
    loop = asyncio.get_running_loop()
    began, samples = loop.time(), list[MemorySample]()

    async def sample() -> None:
        samples.append(MemorySample(round(loop.time() - began, 1), await memory_kb(system)))

    async def sample_forever() -> None:
        while True:
            await sample()
            await asyncio.sleep(_SAMPLE_EVERY)

    task = asyncio.create_task(sample_forever())
    try:
        yield samples
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sample()


def growth(samples: Sequence[MemorySample], role: str) -> float | None:
    """Return by which share the last third has more memory than the middle one; None with too few samples."""
    third = len(samples) // 3
    if not third:
        return None
    middle, last = (
        max(sample.kb[role] for sample in part) for part in (samples[third : 2 * third], samples[2 * third :])
    )
    return round(last / middle - 1, 3)


def judge_overload(figures: OverloadFigures, *, merging: bool = True) -> dict[str, bool]:
    """Return what is required of an overloaded path, and whether it is met.

    `merging`: what is full is to merge pieces. A gateway sends them together instead, each as it is; its answers last
    as long as the run, so that Redis holds more and more of them.
    """
    flat = figures.memory[0].kb.keys() - (set() if merging else {"redis_used"})
    outcome = figures.outcome
    merged = {"pieces were merged": (outcome.deltas_per_event or 0) > _MERGED} if merging else {}
    return merged | {
        "every answer that was accepted is complete": outcome.unfinished == 0 and not outcome.wrong,
        "every refusal has Retry-After": all("no Retry-After" not in kind for kind in outcome.refused),
        "delay is bounded": is_bounded(figures.delay_p99_ms),
        "memory is flat": all((growth(figures.memory, role) or 0) < _MEMORY_GROWTH for role in flat),
    }


def is_bounded(p99s: Sequence[float]) -> bool:
    """Return whether delay has stopped growing: it is short, or at most a third longer at the end."""
    if len(p99s) < 5 or max(p99s) < _SHORT_MS:
        return True
    return max(p99s[3:]) <= 4 / 3 * max(p99s[1:3])
