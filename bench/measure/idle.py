"""What is measured while nothing else is asked: the time to a first delta, and the standalone process."""

import msgspec

from bench.clients.client import run
from bench.clients.load import LoadPlan
from bench.clients.spread import Spread, spread
from bench.errors import BenchError
from bench.measure import redis_stats
from bench.measure.cases import Case
from bench.measure.first_text import FirstText, measure_first_text
from bench.measure.rounds import Round, read_memory, run_round
from bench.systems.path import System

_QUESTIONS = 60
_WARM_QUESTIONS = 5
_PINGS = 500
_LIMIT = 10.0
# The load that the standalone process has to carry.
_STREAMS = 50
_RATE = 20.0
_WINDOW = 4.0


class IdleFigures(msgspec.Struct, frozen=True):
    """Without load: times from before connecting to the first delta, and of a PING through the gateways' client."""

    redis_round_trip_ms: Spread
    first_delta_ms: dict[str, Spread]
    first_text: FirstText
    standalone: Round


async def first_deltas(systems: list[System], times: int = _QUESTIONS) -> dict[str, Spread]:
    """Ask one question after the other, each system in turn. BenchError when one is not answered."""
    durations: dict[str, list[int]] = {system.name: [] for system in systems}
    for _ in range(times):
        for system in systems:
            plan = LoadPlan(list(system.ports[:1]), 1, 1, 1.0, 0.0, _LIMIT)
            outcome = await run(plan, _ignore)
            if outcome.first_delta_ms is None or not outcome.complete:
                raise BenchError(f"{system.name} doesn't answer a single question: {outcome}")
            durations[system.name].append(round(outcome.first_delta_ms.p50 * 1e6))
    spreads = {name: spread(measured) for name, measured in durations.items()}
    return {name: measured_spread for name, measured_spread in spreads.items() if measured_spread is not None}


async def measure_idle(path: System, floor: System, standalone: System) -> IdleFigures:
    """Measure all of it; about 25 s."""
    await first_deltas([path, floor, standalone], _WARM_QUESTIONS)
    trips = spread(await redis_stats.round_trips(path.redis, _PINGS))
    assert trips is not None
    first = await first_deltas([path, floor]) | await first_deltas([standalone])
    steps = await measure_first_text(path)
    plan = Case(standalone, _STREAMS, _RATE, _WINDOW).plan
    return IdleFigures(trips, first, steps, await run_round(standalone, plan, read_memory(standalone.roles)))


def _ignore(_: str) -> None:
    """Ignore the window: no process is measured here."""
