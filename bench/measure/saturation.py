"""How much our path carries: its streams increase until it can't follow."""

import sys
from typing import Literal

import msgspec

from bench.clients.spread import Spread
from bench.measure.cases import Case
from bench.measure.rounds import Round, read_memory, run_round
from bench.systems.path import System

# Deltas that are later than this no longer look like typing, in ms.
LATEST = 250.0
MAX_STREAMS = 4000
_GROWTH = 1.3
_WINDOW = 4.0
# A process that uses this share of a core has no room left.
_FULL = 0.95

StopReason = Literal["answers were lost", "late", "gateway", "worker", "redis", "client", "streams"]


class SaturationStep(msgspec.Struct, frozen=True):
    """One load. `cores`: that each kind of process kept busy; `stop`: why the path can't carry it, if it can't."""

    streams: int
    deltas_per_s: float
    deltas_per_event: float
    delay_ms: Spread | None
    cores: dict[str, float]
    cores_elsewhere: float
    stop: StopReason | None


async def saturate(path: System, streams: int, rate: float) -> list[SaturationStep]:
    """Return the steps of a load that grows from `streams`; the last one is too much."""
    steps: list[SaturationStep] = []
    while not steps or steps[-1].stop is None:
        case = Case(path, streams, rate, _WINDOW)
        result = await run_round(path, case.plan, read_memory(path.roles))
        print(f"until it is full, {case.name}: {result}", file=sys.stderr)
        steps.append(step(streams, result))
        streams = round(streams * _GROWTH)
    return steps


def step(streams: int, result: Round) -> SaturationStep:
    """Return what a round shows of a load."""
    deltas = result.deltas_per_s or 0.0
    cores = {role: round(us * deltas / 1e6, 2) for role, us in (result.cpu_us_per_delta or {}).items()}
    return SaturationStep(
        streams,
        deltas,
        result.deltas_per_event or 0.0,
        result.delay_ms,
        cores,
        result.cores_elsewhere or 0.0,
        _stop(streams, result, cores),
    )


def _stop(streams: int, result: Round, cores: dict[str, float]) -> StopReason | None:
    if result.answers.complete < result.answers.asked:
        return "answers were lost"
    if result.delay_ms is None:
        # The last first deltas came after the first ends: no moment with all streams open.
        return "late"
    kinds: tuple[StopReason, ...] = ("client", "gateway", "worker", "redis")
    for kind in kinds:
        if cores.get(kind, 0.0) >= _FULL:
            return kind
    if result.delay_ms.p99 > LATEST:
        return "late"
    return "streams" if streams * _GROWTH > MAX_STREAMS else None
