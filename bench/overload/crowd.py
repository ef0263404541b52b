"""Too many questions at once: how much the path carries, and what becomes of twice as much."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from bench import proc
from bench.overload.asking import ask
from bench.overload.deployment import Deployment
from bench.overload.plan import Group, Plan, Told

# The path is full when an event carries more pieces than this, or a piece is later than this: it no longer keeps up.
_MERGED = 1.1
_LATE_MS = 250.0
_NOBODY_MINDS_MS = 1000.0
# By which share memory may grow from the middle third of the time to the last.
_GROWS = 0.1
_STEPS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
_STEP_S = 4.0
_SAMPLE_EVERY = 2.0
# What an answer may take beyond its own time before it counts as hung.
_PATIENCE_S = 60.0
# An answer's length in seconds, and how many times as many questions come as find a slot.
_ANSWER_S = 5.0
_PRESSING = 2
# Few answers that each have many readers cost a gateway much and a worker little.
_READ = 10
_READERS = 30


class Sample(msgspec.Struct, frozen=True):
    """Memory at a time, in seconds from the start: PSS, and what Redis says it uses; in kB."""

    at: float
    kb: dict[str, int]


class Overload(msgspec.Struct, frozen=True):
    """What became of twice as much as the path carries.

    rate: pieces a second of each answer. delay_p99_ms: of the pieces that arrived in each fifth of the time, the worst
    second's. cores: CPUs that each role kept busy.
    """

    rate: float
    told: Told
    delay_p99_ms: list[float]
    memory: list[Sample]
    cores: dict[str, float]


# Makes a group of a rate (pieces a second of each answer) that asks for so many seconds.
Shape = Callable[[float, float], Group]


def questions(slots: int) -> Shape:
    """Answers in all slots, and over a longer time more questions than find one: the worker is what gets full."""

    def group(rate: float, seconds: float) -> Group:
        if seconds <= _ANSWER_S:
            return Group("crowd", slots, 1 / slots, int(rate * seconds), rate)
        count = int(_PRESSING * slots * seconds / _ANSWER_S)
        return Group("crowd", count, seconds / count, int(rate * _ANSWER_S), rate)

    return group


def readers(rate: float, seconds: float) -> Group:
    """Answers that many read: the gateway is what gets full."""
    return Group("crowd", _READ, 1 / _READ / 2, int(rate * seconds), rate, readers=_READERS)


async def full_rate(deployment: Deployment, shape: Shape) -> float:
    """The first of the rates, in pieces a second of each answer, at which the path is full."""
    for rate in _STEPS:
        plan = Plan(deployment.ports, [shape(rate, _STEP_S)], 1, _STEP_S, _STEP_S + _PATIENCE_S)
        found = (await ask(plan))["crowd"]
        late = found.delay_ms is None or found.delay_ms.p50 > _LATE_MS
        if late or (found.deltas_per_event or 0) > _MERGED or found.complete < found.asked:
            return rate
    return _STEPS[-1]


async def overload(deployment: Deployment, shape: Shape, full: float, seconds: float) -> Overload:
    """What becomes of `seconds` at twice the full rate."""
    before = _cpu(deployment)
    plan = Plan(deployment.ports, [shape(2 * full, seconds)], 1, seconds, seconds + _PATIENCE_S)
    async with _sampled(deployment) as samples:
        found = (await ask(plan))["crowd"]
    used = {role: busy - before[role] for role, busy in _cpu(deployment).items()}
    return Overload(
        rate=2 * full,
        told=found,
        delay_p99_ms=fifths(found, seconds),
        memory=samples,
        cores={role: round(busy / samples[-1].at, 2) for role, busy in used.items()},
    )


def _cpu(deployment: Deployment) -> dict[str, float]:
    return {role: sum(map(proc.cpu_seconds, pids)) for role, pids in deployment.pids.items()}


def fifths(told: Told, seconds: float) -> list[float]:
    """The worst second's p99 of delay in each fifth of the first `seconds`, in order."""
    known = [second.delay_ms.p99 for second in told.seconds if second.delay_ms and second.at < seconds]
    size = max(1, -(-len(known) // 5))
    return [max(known[start : start + size]) for start in range(0, len(known), size)]


@asynccontextmanager
async def _sampled(deployment: Deployment) -> AsyncIterator[list[Sample]]:
    """Memory, read every few seconds while the body runs and once when it is over."""
    loop = asyncio.get_running_loop()
    began, samples = loop.time(), list[Sample]()

    async def sample() -> None:
        samples.append(Sample(round(loop.time() - began, 1), await deployment.memory_kb()))

    async def for_ever() -> None:
        while True:
            await sample()
            await asyncio.sleep(_SAMPLE_EVERY)

    task = asyncio.create_task(for_ever())
    try:
        yield samples
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await sample()


def growth(samples: Sequence[Sample], role: str) -> float | None:
    """How much more memory there was in the last third than in the middle one, as a share; None with too few."""
    third = len(samples) // 3
    if not third:
        return None
    middle, last = (max(one.kb[role] for one in part) for part in (samples[third : 2 * third], samples[2 * third :]))
    return round(last / middle - 1, 3)


def verdicts(found: Overload, *, merging: bool = True) -> dict[str, bool]:
    """What is wanted of an overloaded path, and whether it is so.

    `merging`: what is full is to merge pieces. A gateway sends them together instead, each as it is; its answers last
    as long as the run, so that Redis holds more and more of them.
    """
    flat = found.memory[0].kb.keys() - (set() if merging else {"redis_used"})
    told = found.told
    merged = {"pieces were merged": (told.deltas_per_event or 0) > _MERGED} if merging else {}
    return merged | {
        "every answer that was accepted is whole": told.unfinished == 0 and not told.wrong,
        "what was refused was told when to come back": all("no Retry-After" not in kind for kind in told.refused),
        "delay is bounded": bounded(found.delay_p99_ms),
        "memory is flat": all((growth(found.memory, role) or 0) < _GROWS for role in flat),
    }


def bounded(p99s: Sequence[float]) -> bool:
    """Whether delay has stopped growing, or nobody minds: it is short, or no more than a third longer at the end."""
    if len(p99s) < 5 or max(p99s) < _NOBODY_MINDS_MS:
        return True
    return max(p99s[3:]) <= 4 / 3 * max(p99s[1:3])
