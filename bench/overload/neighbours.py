"""What ordinary streams notice of a neighbour: an answer that is huge, or a client that hardly reads."""

import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median

import msgspec

from bench.measure.rounds import read_cpu
from bench.overload.ask import ask
from bench.overload.plan import Group, OverloadPlan
from bench.systems.path import System

_STREAMS = 100
_RATE = 20.0
_SECONDS = 6.0
_OPENING_S = 1.0
# By how much a neighbour may raise the others' 99th percentile.
_ALLOWED = 1.25
# When other programs keep more cores busy than this, a percentile shows them.
_QUIET = 0.3

_ORDINARY = Group("ordinary", _STREAMS, _OPENING_S / _STREAMS, int(_SECONDS * _RATE), _RATE)
# 100 kB in four seconds.
_HUGE = Group("huge", 1, 0, 1000, 250, 100)
# The same, read so slowly that neither the kernel nor the gateway's own buffer takes the rest.
_SLOW = Group("slow", 1, 0, 1000, 250, 100, 1024)
_NEIGHBOURS: dict[str, list[Group]] = {"alone": [], "huge": [_HUGE], "slow": [_SLOW]}


class NeighbourRound(msgspec.Struct, frozen=True):
    """The ordinary streams' p99 of delay in ms, and how many cores other programs kept busy meanwhile."""

    p99_ms: float
    cores_elsewhere: float


class NeighbourFigures(msgspec.Struct, frozen=True):
    """Rounds by the neighbour, the medians over those in which the machine was quiet, and their ratios to having none.

    Where no round was quiet, the figure is None. wrong: ordinary answers that were not complete, by what they were
    instead. huge: what became of the neighbours.
    """

    p99_ms: dict[str, float | None]
    ratios: dict[str, float | None]
    rounds: dict[str, list[NeighbourRound]]
    wrong: dict[str, int]
    huge: dict[str, int]

    @property
    def fair(self) -> bool:
        """Whether every ratio is known and none is more than is allowed."""
        return not self.wrong and all(ratio is not None and ratio <= _ALLOWED for ratio in self.ratios.values())


async def measure_neighbours(system: System, rounds: int) -> NeighbourFigures:
    """Measure with each neighbour in turn, so many times."""
    results: dict[str, list[NeighbourRound]] = {name: [] for name in _NEIGHBOURS}
    wrong, huge = Counter[str](), Counter[str]()
    for number in range(rounds):
        for name, groups in _NEIGHBOURS.items():
            before, began = _elsewhere(system), time.monotonic()
            outcomes = await ask(
                OverloadPlan(list(system.ports), [_ORDINARY, *groups], _OPENING_S, _SECONDS, _SECONDS + 4)
            )
            busy = (_elsewhere(system) - before) / (time.monotonic() - began)
            ordinary = outcomes["ordinary"]
            wrong.update(ordinary.wrong | {"unfinished": ordinary.unfinished} | ordinary.refused)
            if name == "huge":
                huge.update(asked=outcomes[name].asked, complete=outcomes[name].complete)
            p99 = ordinary.delay_ms.p99 if ordinary.delay_ms else 0.0
            results[name].append(NeighbourRound(p99, round(max(0, busy), 2)))
            print(f"round {number + 1}, {name}: {results[name][-1]}", file=sys.stderr)
    medians = {name: quiet_median(made) for name, made in results.items()}
    alone = medians["alone"]
    ratios = {
        name: round(p99 / alone, 2) if p99 and alone else None for name, p99 in medians.items() if name != "alone"
    }
    return NeighbourFigures(medians, ratios, results, dict(+wrong), dict(huge))


def quiet_median(rounds: Sequence[NeighbourRound]) -> float | None:
    """Return the median p99 of the quiet rounds; None if none was quiet."""
    quiet = [round_.p99_ms for round_ in rounds if round_.cores_elsewhere <= _QUIET]
    return median(quiet) if quiet else None


def _elsewhere(system: System) -> float:
    """Return the CPU seconds that neither the system nor the load clients so far have used."""
    clients = resource.getrusage(resource.RUSAGE_CHILDREN)
    usage = read_cpu(system.roles)
    return usage.machine - sum(usage.roles.values()) - clients.ru_utime - clients.ru_stime
