"""How much our path bears: its streams grow until it can't follow."""

import sys
from typing import Literal

import msgspec

from bench import report
from bench.cases import Case
from bench.rounds import Round, memory, run_round
from bench.spread import Spread
from bench.systems import System

# Deltas that arrive later than this don't feel like typing any more, in ms.
LATEST = 250.0
MOST_STREAMS = 4000
_GROWTH = 1.3
_WINDOW = 4.0
# A process that uses so much of a core has no room left.
_FULL = 0.95

Stop = Literal["answers were lost", "late", "gateway", "worker", "redis", "client", "streams"]


class Step(msgspec.Struct, frozen=True):
    """One load. `cores`: that each kind of process kept busy; `stop`: why the path can't take it, if it can't."""

    streams: int
    deltas_per_s: float
    deltas_per_event: float
    delay_ms: Spread | None
    cores: dict[str, float]
    cores_elsewhere: float
    stop: Stop | None


async def saturate(path: System, streams: int, rate: float) -> list[Step]:
    """Steps of a load that grows from `streams`; the last one is too much."""
    steps: list[Step] = []
    while not steps or steps[-1].stop is None:
        case = Case(path, streams, rate, _WINDOW)
        found = await run_round(path, case.plan, memory(path))
        print(f"until it is full, {case.name}: {report.line(found)}", file=sys.stderr)
        steps.append(step(streams, found))
        streams = round(streams * _GROWTH)
    return steps


def step(streams: int, found: Round) -> Step:
    """What a round says of a load."""
    deltas = found.deltas_per_s or 0.0
    cores = {role: round(us * deltas / 1e6, 2) for role, us in (found.cpu_us_per_delta or {}).items()}
    return Step(
        streams,
        deltas,
        found.deltas_per_event or 0.0,
        found.delay_ms,
        cores,
        found.cores_elsewhere or 0.0,
        _stop(streams, found, cores),
    )


def _stop(streams: int, found: Round, cores: dict[str, float]) -> Stop | None:
    if found.answers.complete < found.answers.asked:
        return "answers were lost"
    if found.delay_ms is None:
        # The last first deltas came after the first ends: no moment with all streams open.
        return "late"
    kinds: tuple[Stop, ...] = ("client", "gateway", "worker", "redis")
    for kind in kinds:
        if cores.get(kind, 0.0) >= _FULL:
            return kind
    if found.delay_ms.p99 > LATEST:
        return "late"
    return "streams" if streams * _GROWTH > MOST_STREAMS else None
