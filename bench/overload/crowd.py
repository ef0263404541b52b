"""Too many questions at once: how much the path carries, and what becomes of twice as much."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from bench import proc
from bench.overload.asking import ask
from bench.overload.deployment import Deployment
from bench.overload.plan import Group, Plan, Told

# The path is full when an event carries more pieces than this, or a piece is later than this: it no longer keeps up.
_MERGED = 1.1
_LATE_MS = 250.0
_STEPS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
_STEP_S = 4.0
_SAMPLE_EVERY = 2.0
# What an answer may take beyond its own time before it counts as hung.
_PATIENCE_S = 60.0
# How many times the answers that find a slot ask for one.
_PRESSING = 2


class Sample(msgspec.Struct, frozen=True):
    """Memory at a time, in seconds from the start: PSS, and what Redis says it uses; in kB."""

    at: float
    kb: dict[str, int]


class Overload(msgspec.Struct, frozen=True):
    """What became of twice as much as the path carries.

    offered_per_s: pieces that the upstream made a second; full_per_s: with how many the path was full.
    delay_p99_ms: of the pieces that arrived in each fifth of the time. cores: CPUs that each role kept busy.
    """

    full_per_s: float
    offered_per_s: float
    told: Told
    delay_p99_ms: list[float]
    memory: list[Sample]
    cores: dict[str, float]


async def full_rate(deployment: Deployment, streams: int) -> float:
    """The first of the rates, in pieces a second of each of the streams, at which the path is full."""
    for rate in _STEPS:
        group = Group("step", streams, 1 / streams, int(rate * _STEP_S), rate)
        found = (await ask(Plan(deployment.ports, [group], 1, _STEP_S, _STEP_S + _PATIENCE_S)))["step"]
        late = found.delay_ms is None or found.delay_ms.p50 > _LATE_MS
        if late or (found.deltas_per_event or 0) > _MERGED or found.complete < found.asked:
            return rate
    return _STEPS[-1]


async def overload(deployment: Deployment, streams: int, rate: float, seconds: float) -> Overload:
    """Every slot has an answer of twice the full rate, and twice as many questions come as slots get free."""
    offered, answer_s = 2 * rate, 5.0
    count = int(_PRESSING * streams * seconds / answer_s)
    group = Group("crowd", count, seconds / count, int(offered * answer_s), offered)
    before = {role: sum(map(proc.cpu_seconds, pids)) for role, pids in deployment.pids.items()}
    async with _sampled(deployment) as samples:
        plan = Plan(deployment.ports, [group], answer_s, seconds, seconds + _PATIENCE_S)
        found = (await ask(plan))["crowd"]
    used = {role: sum(map(proc.cpu_seconds, pids)) - before[role] for role, pids in deployment.pids.items()}
    took = samples[-1].at
    return Overload(
        full_per_s=rate * streams,
        offered_per_s=offered * streams,
        told=found,
        delay_p99_ms=fifths(found),
        memory=samples,
        cores={role: round(busy / took, 2) for role, busy in used.items()},
    )


def fifths(told: Told) -> list[float]:
    """The worst second's p99 of delay in each fifth of the time, in order."""
    known = [second.delay_ms.p99 for second in told.seconds if second.delay_ms]
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
    middle, last = (max(one.kb[role] for one in part) for part in (samples[third : 2 * third], samples[2 * third : -1]))
    return round(last / middle - 1, 3)


def verdicts(found: Overload) -> dict[str, Any]:
    """What is wanted of an overloaded path, and whether it is so."""
    told = found.told
    return {
        "every answer that was accepted is whole": told.unfinished == 0 and not told.wrong,
        "what was refused was told when to come back": all("no Retry-After" not in kind for kind in told.refused),
        "something was refused": bool(told.refused),
        "pieces were merged": (told.deltas_per_event or 0) > _MERGED,
        "delay is bounded": bounded(found.delay_p99_ms),
        "memory is flat": all((growth(found.memory, role) or 0) < 0.1 for role in found.memory[0].kb),
    }


def bounded(p99s: Sequence[float]) -> bool:
    """Whether delay has stopped growing: in the last two fifths it is at most twice that of the two before."""
    return len(p99s) < 5 or max(p99s[3:]) <= 2 * max(p99s[1:3])
