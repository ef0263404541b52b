"""What is measured in each round: which system, how it is asked, and by how many clients."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.load import Plan
from bench.options import Options
from bench.systems import System
from bench.transports import OPENAI, SSE

# The share of an answer's time in which its streams are opened, and the most that are opened in a second: beginning a
# conversation costs more than a delta. All streams are open for what is left of the time.
_OPENING = 0.25
_OPENED_A_SECOND = 200
# What a round may take beyond its answers' own time, in seconds.
_GRACE = 20.0
# Of each 6 s EdgeGPT spends one sending pings: a window holds them all.
_PINGING = 6.0
# LiteLLM's proxy is full at some thirty answers.
_LITELLM_STREAMS = 20


@dataclass(frozen=True)
class Case:
    """One system under one load. `window`: for how many seconds all streams shall be open."""

    system: System
    transport: str
    streams: int
    rate: float
    window: float

    @property
    def name(self) -> str:
        return f"{self.system.name} {self.transport} {self.streams}"

    @property
    def plan(self) -> Plan:
        """What the load client is told."""
        opening = max(self.streams / _OPENED_A_SECOND, self.window * _OPENING / (1 - _OPENING))
        deltas = math.ceil(self.rate * (opening + self.window))
        limit = opening + deltas / self.rate + _GRACE
        return Plan(list(self.system.ports), self.streams, deltas, self.rate, opening, limit, self.transport)


def compared(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """The sides at the first count of streams; `systems` by their names."""
    streams = options.streams[0]
    found = []
    for name, system in systems.items():
        if name == "litellm":
            found.append(_case(options, system, OPENAI, _LITELLM_STREAMS))
            if "path" in systems:
                found.append(_case(options, systems["path"], SSE, _LITELLM_STREAMS))
            continue
        both = name in ("path", "floor")
        for transport in options.transports if both else (SSE,):
            found.append(_case(options, system, transport, streams))
    return found


def grown(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """Our path at all counts of streams, when there is more than one."""
    if len(options.streams) == 1 or "path" not in systems:
        return []
    return [_case(options, systems["path"], SSE, streams) for streams in sorted(options.streams)]


def _case(options: Options, system: System, transport: str, streams: int) -> Case:
    rate = max(1.0, min(options.rate, options.load / streams))
    seconds = options.seconds * (1 - _OPENING)
    window = max(seconds, _PINGING) if "edgegpt" in system.name and options.seconds >= 5 else seconds
    return Case(system, transport, streams, rate, window)


def limit(cases: Sequence[Case]) -> float:
    """For how many seconds a round of all of them may last."""
    return sum(case.plan.limit for case in cases)
