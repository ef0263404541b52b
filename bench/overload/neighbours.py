"""What ordinary streams notice of a neighbour: an answer that is huge, or a client that hardly reads."""

import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median

import msgspec

from bench import proc
from bench.overload.asking import ask
from bench.overload.deployment import Deployment
from bench.overload.plan import Group, Plan

_STREAMS = 100
_RATE = 20.0
_SECONDS = 6.0
_OPENING_S = 1.0
# By how much a neighbour may raise the others' 99th percentile.
_ALLOWED = 1.25
# When other programs keep more cores busy than this, a percentile tells of them.
_QUIET = 0.3

_ORDINARY = Group("ordinary", _STREAMS, _OPENING_S / _STREAMS, int(_SECONDS * _RATE), _RATE)
# 100 kB in four seconds.
_HUGE = Group("huge", 1, 0, 1000, 250, 100)
# The same, read so slowly that neither the kernel nor the gateway's own buffer takes the rest.
_SLOW = Group("slow", 1, 0, 1000, 250, 100, 1024)
_BESIDE: dict[str, list[Group]] = {"alone": [], "huge": [_HUGE], "slow": [_SLOW]}


class Round(msgspec.Struct, frozen=True):
    """The ordinary streams' p99 of delay in ms, and how many cores other programs kept busy meanwhile."""

    p99_ms: float
    cores_elsewhere: float


class Neighbours(msgspec.Struct, frozen=True):
    """Rounds by the neighbour, the medians over those in which the machine was quiet, and their ratios to having none.

    Where no round was quiet, nothing can be said: None. wrong: ordinary answers that were not whole, by what they were
    instead. huge: what became of the neighbours.
    """

    p99_ms: dict[str, float | None]
    ratios: dict[str, float | None]
    rounds: dict[str, list[Round]]
    wrong: dict[str, int]
    huge: dict[str, int]

    @property
    def fair(self) -> bool:
        """Whether no neighbour raised it by more than is allowed, as far as can be said."""
        return not self.wrong and all(ratio is not None and ratio <= _ALLOWED for ratio in self.ratios.values())


async def neighbours(deployment: Deployment, rounds: int) -> Neighbours:
    """Each in turn, so many times."""
    found: dict[str, list[Round]] = {name: [] for name in _BESIDE}
    wrong, huge = Counter[str](), Counter[str]()
    for number in range(rounds):
        for name, beside in _BESIDE.items():
            before, began = _elsewhere(deployment), time.monotonic()
            told = await ask(Plan(deployment.ports, [_ORDINARY, *beside], _OPENING_S, _SECONDS, _SECONDS + 4))
            busy = (_elsewhere(deployment) - before) / (time.monotonic() - began)
            ordinary = told["ordinary"]
            wrong.update(ordinary.wrong | {"unfinished": ordinary.unfinished} | ordinary.refused)
            if name == "huge":
                huge.update(asked=told[name].asked, complete=told[name].complete)
            found[name].append(Round(ordinary.delay_ms.p99 if ordinary.delay_ms else 0.0, round(max(0, busy), 2)))
            print(f"round {number + 1}, {name}: {found[name][-1]}", file=sys.stderr)
    medians = {name: middle(made) for name, made in found.items()}
    alone = medians["alone"]
    ratios = {
        name: round(p99 / alone, 2) if p99 and alone else None for name, p99 in medians.items() if name != "alone"
    }
    return Neighbours(medians, ratios, found, dict(+wrong), dict(huge))


def middle(rounds: Sequence[Round]) -> float | None:
    """The median p99 of the quiet rounds; None if none was quiet."""
    quiet = [one.p99_ms for one in rounds if one.cores_elsewhere <= _QUIET]
    return median(quiet) if quiet else None


def _elsewhere(deployment: Deployment) -> float:
    """CPU seconds that neither the deployment nor the load clients so far have used."""
    clients = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = sum(proc.cpu_seconds(pid) for pids in deployment.pids.values() for pid in pids)
    return proc.machine_seconds() - own - clients.ru_utime - clients.ru_stime
