"""What ordinary streams notice of a neighbour: an answer that is huge, or a client that hardly reads."""

import sys
from collections import Counter
from statistics import median

import msgspec

from bench.overload.asking import ask
from bench.overload.deployment import Deployment
from bench.overload.plan import Group, Plan

_STREAMS = 100
_RATE = 20.0
_SECONDS = 6.0
_OPENING_S = 1.0
_LIMIT_S = _SECONDS + 20.0
# By how much a neighbour may raise the others' 99th percentile.
_ALLOWED = 1.25

_ORDINARY = Group("ordinary", _STREAMS, _OPENING_S / _STREAMS, int(_SECONDS * _RATE), _RATE)
# 100 kB in four seconds.
_HUGE = Group("huge", 1, 0, 1000, 250, 100)
# The same, read so slowly that neither the kernel nor the gateway's own buffer takes the rest.
_SLOW = Group("slow", 1, 0, 1000, 250, 100, 1024)
_BESIDE: dict[str, list[Group]] = {"alone": [], "huge": [_HUGE], "slow": [_SLOW]}


class Neighbours(msgspec.Struct, frozen=True):
    """The ordinary streams' p99 of delay in ms: each round's, and the median; the ratios to having no neighbour.

    ratios: of the medians. wrong: ordinary answers that were not whole, by what they were instead.
    """

    p99_ms: dict[str, float]
    ratios: dict[str, float]
    rounds: dict[str, list[float]]
    wrong: dict[str, int]
    huge: dict[str, int]

    @property
    def fair(self) -> bool:
        """Whether no neighbour raised it by more than is allowed."""
        return not self.wrong and all(ratio <= _ALLOWED for ratio in self.ratios.values())


async def neighbours(deployment: Deployment, rounds: int) -> Neighbours:
    """Each in turn, so many times."""
    p99s: dict[str, list[float]] = {name: [] for name in _BESIDE}
    wrong, huge = Counter[str](), Counter[str]()
    for number in range(rounds):
        for name, beside in _BESIDE.items():
            plan = Plan(deployment.ports, [_ORDINARY, *beside], _OPENING_S, _SECONDS, _SECONDS + 4)
            found = await ask(plan)
            ordinary = found["ordinary"]
            wrong.update(ordinary.wrong | {"unfinished": ordinary.unfinished} | ordinary.refused)
            p99s[name].append(ordinary.delay_ms.p99 if ordinary.delay_ms else 0.0)
            if name == "huge":
                huge.update(asked=found[name].asked, complete=found[name].complete)
            print(f"round {number + 1}, {name}: p99 {p99s[name][-1]} ms", file=sys.stderr)
    medians = {name: median(found) for name, found in p99s.items()}
    ratios = {name: round(found / medians["alone"], 2) for name, found in medians.items() if name != "alone"}
    return Neighbours(medians, ratios, p99s, dict(+wrong), dict(huge))
