"""What is measured in each round: which system, how it is asked, and by how many clients."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.load import Plan
from bench.options import Options
from bench.systems import System

# The share of an answer's time in which its streams are opened, and the most that are opened in a second: beginning a
# conversation costs more than a delta. All streams are open for what is left of the time.
_OPENING = 0.25
_OPENED_A_SECOND = 150
# What a round may take beyond its answers' own time, in seconds.
_GRACE = 20.0
# Of each 6 s EdgeGPT spends one sending pings: a window holds them all.
_PINGING = 6.0
# LiteLLM's proxy is full at some thirty answers.
_LITELLM_STREAMS = 20
_ASKED_BOTH_WAYS = ("path", "floor")
_TWO = "path x2"


@dataclass(frozen=True)
class Case:
    """One system under one load. `window`: for how many seconds all streams shall be open."""

    system: System
    streams: int
    rate: float
    window: float

    @property
    def name(self) -> str:
        return f"{self.system.side} {self.streams}"

    @property
    def plan(self) -> Plan:
        """What the load client is told."""
        opening = max(self.streams / _OPENED_A_SECOND, self.window * _OPENING / (1 - _OPENING))
        deltas = math.ceil(self.rate * (opening + self.window))
        limit = opening + deltas / self.rate + _GRACE
        return Plan(list(self.system.ports), self.streams, deltas, self.rate, opening, limit, self.system.transport)


def compared(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """The sides at the first count of streams; `systems` by their sides."""
    streams = options.streams[0]
    found = []
    for system in systems.values():
        if system.name == "litellm":
            found += [_case(options, one, _LITELLM_STREAMS) for one in (system, systems["path sse"])]
        elif system.transport in options.transports or system.name not in _ASKED_BOTH_WAYS:
            found.append(_case(options, system, streams))
        if system.name == _TWO and options.gateways[0] == 1:
            # Each of the two with as many streams as the one has, at the same rate.
            found.append(replace(found[-1], streams=2 * streams))
    return found


def grown(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """Our path at all counts of streams, when there is more than one."""
    if len(options.streams) == 1:
        return []
    return [_case(options, systems["path sse"], streams) for streams in sorted(options.streams)]


def beside_most(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """The floor, and our path over the other transport, where our path has grown to the largest count of streams."""
    if len(options.streams) == 1:
        return []
    asked = (systems[f"{name} {transport}"] for name in _ASKED_BOTH_WAYS for transport in options.transports)
    return [_case(options, system, max(options.streams)) for system in asked if system.side != "path sse"]


def _case(options: Options, system: System, streams: int) -> Case:
    rate = max(1.0, min(options.rate, options.load / streams))
    seconds = options.seconds * (1 - _OPENING)
    window = max(seconds, _PINGING) if "edgegpt" in system.name and options.seconds >= 5 else seconds
    return Case(system, streams, rate, window)


def limit(cases: Sequence[Case]) -> float:
    """For how many seconds a round of all of them may last."""
    return sum(case.plan.limit for case in cases)
