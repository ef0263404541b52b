"""What is measured while nothing else is asked: the time to a first delta, and the standalone process."""

import msgspec

from bench import store
from bench.cases import Case
from bench.client import run
from bench.errors import BenchError
from bench.load import Plan
from bench.rounds import Round, memory, run_round
from bench.spread import Spread, spread
from bench.systems import System

_ASKED = 60
_PINGS = 500
_LIMIT = 10.0
# What the standalone process has to bear.
_STREAMS = 50
_RATE = 20.0
_WINDOW = 4.0


class Rest(msgspec.Struct, frozen=True):
    """Without load: times from before connecting to the first delta, and of a PING through the gateways' client."""

    redis_round_trip_ms: Spread
    first_delta_ms: dict[str, Spread]
    standalone: Round


async def first_deltas(systems: list[System], times: int = _ASKED) -> dict[str, Spread]:
    """One question after the other, to each in turn. BenchError when one is not answered."""
    found: dict[str, list[int]] = {system.name: [] for system in systems}
    for _ in range(times):
        for system in systems:
            plan = Plan(list(system.ports[:1]), 1, 1, 1.0, 0.0, _LIMIT)
            outcome = await run(plan, _ignore)
            if outcome.first_delta_ms is None or not outcome.complete:
                raise BenchError(f"{system.name} doesn't answer a single question: {outcome}")
            found[system.name].append(round(outcome.first_delta_ms.p50 * 1e6))
    return {name: known for name, times in found.items() if (known := spread(times)) is not None}


async def at_rest(path: System, floor: System, standalone: System) -> Rest:
    """All of it; about 20 s."""
    await first_deltas([path, floor, standalone], 5)
    trips = spread(await store.round_trips(path.redis, _PINGS))
    assert trips is not None
    first = await first_deltas([path, floor]) | await first_deltas([standalone])
    plan = Case(standalone, _STREAMS, _RATE, _WINDOW).plan
    return Rest(trips, first, await run_round(standalone, plan, memory(standalone)))


def _ignore(_: str) -> None:
    """Nobody measures processes here."""
