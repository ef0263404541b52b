"""What is measured in each round: which system, how it is asked, and by how many clients."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.clients.load import LoadPlan
from bench.clients.transports import OPENAI
from bench.options import Options
from bench.peers.peers import LITELLM
from bench.systems.path import System

# The share of an answer's time in which its streams are opened, and the most that are opened in a second: beginning a
# conversation costs more than a delta. All streams are open for what is left of the time.
_OPENING_SHARE = 0.25
_OPENED_PER_S = 150
# What a round may take beyond its answers' own time, in seconds.
_GRACE = 20.0
# EdgeGPT sends pings in one of each 6 s: a window must contain them all.
_PING_PERIOD = 6.0
# How many answers the sides before the model server are compared at; LiteLLM's proxy is full at the former.
MANY_STREAMS, FEW_STREAMS = 100, 20
# Our path before the model server, and that of another commit.
OURS, OURS_BEFORE = "ours", "ours before"
# The sides that are asked over each transport, in all rounds and at the largest count.
_BY_TRANSPORT = ("path", "before", "floor")
_AT_LARGEST = ("path", "floor")
_TWO = "path x2"


# Questions whose answers end at once, so that what a round costs is their beginnings and ends: CPU time is counted in
# steps of 10 ms, so there are many.
_BRIEF = 600
BRIEF = "brief"
# FEW_STREAMS that are open at a time, one of which ends as another begins: each has seconds to live, and so often all
# of them are replaced. The connections to the model server are then those that earlier ones left. They begin at other
# intervals than pieces come at, else all pieces would come at once.
_FLOW_LIFE = 1.15
_FLOW_TURNS = 6
FLOW = "flow"


def _plan(system: System, streams: int, deltas: int, rate: float, opening: float, limit: float) -> LoadPlan:
    ports = list(system.ports)
    return LoadPlan(ports, streams, deltas, rate, opening, limit, system.transport, system.target)


@dataclass(frozen=True)
class Case:
    """One system under one load. `window`: for how many seconds all streams shall be open."""

    system: System
    streams: int
    rate: float
    window: float

    @property
    def name(self) -> str:
        """Its side and its count of streams."""
        return f"{self.system.side} {self.streams}"

    @property
    def plan(self) -> LoadPlan:
        """The load client's plan."""
        opening = max(self.streams / _OPENED_PER_S, self.window * _OPENING_SHARE / (1 - _OPENING_SHARE))
        deltas = math.ceil(self.rate * (opening + self.window))
        limit = opening + deltas / self.rate + _GRACE
        return _plan(self.system, self.streams, deltas, self.rate, opening, limit)


@dataclass(frozen=True)
class BriefCase(Case):
    """One system that is asked for many answers of one delta, one after the other."""

    @property
    def name(self) -> str:
        """Its side."""
        return f"{self.system.side} {BRIEF}"

    @property
    def plan(self) -> LoadPlan:
        """The load client's plan."""
        opening = _BRIEF / _OPENED_PER_S
        return _plan(self.system, _BRIEF, 1, self.rate, opening, opening + _GRACE)


@dataclass(frozen=True)
class FlowCase(Case):
    """One system of which `streams` answers are open at a time, one of which ends as another begins."""

    @property
    def name(self) -> str:
        """Its side."""
        return f"{self.system.side} {FLOW}"

    @property
    def plan(self) -> LoadPlan:
        """The load client's plan."""
        opening = _FLOW_TURNS * _FLOW_LIFE
        deltas, limit = math.ceil(self.rate * _FLOW_LIFE), opening + _FLOW_LIFE + _GRACE
        return _plan(self.system, _FLOW_TURNS * self.streams, deltas, self.rate, opening, limit)


def compared_cases(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """Return the sides at the first count of streams; `systems` by their sides."""
    streams = options.streams[0]
    cases = []
    for system in systems.values():
        if _is_served(system):
            continue
        if system.transport in options.transports or system.name not in _BY_TRANSPORT:
            cases.append(_case(options, system, streams))
        if system.name == _TWO and options.gateways[0] == 1:
            # Each of the two with as many streams as the one has, at the same rate.
            cases.append(replace(cases[-1], streams=2 * streams))
    return cases + _brief_cases(options, systems)


def served_cases(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """Return what is compared before the model server; of our path also beginnings and ends."""
    served = [system for system in systems.values() if _is_served(system)]
    many = [_case(options, system, MANY_STREAMS) for system in served if system.name != LITELLM]
    few = [_case(options, system, FEW_STREAMS) for system in served if system.transport == OPENAI]
    flow = [FlowCase(case.system, case.streams, case.rate, 0.0) for case in few]
    brief = [BriefCase(case.system, 1, case.rate, 0.0) for case in few if case.system.name in (OURS, OURS_BEFORE)]
    return [*many, *few, *flow, *brief]


def _is_served(system: System) -> bool:
    """Return whether it asks the model server."""
    return "upstream" in system.roles


def _brief_cases(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """Return our path, and that of another commit, asked for beginnings and ends, where either or rest is wanted."""
    if not (options.rest or options.before):
        return []
    sides = (f"{name} {transport}" for transport in options.transports for name in ("path", "before"))
    return [BriefCase(systems[side], 1, options.rate, 0.0) for side in sides if side in systems]


def grown_cases(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """Return our path at all counts of streams, when there is more than one."""
    if len(options.streams) == 1:
        return []
    return [_case(options, systems["path sse"], streams) for streams in sorted(options.streams)]


def largest_cases(options: Options, systems: Mapping[str, System]) -> list[Case]:
    """Return what is measured beside our path at the largest count: the floor, and the other transport's path."""
    if len(options.streams) == 1:
        return []
    sides = (f"{name} {transport}" for name in _AT_LARGEST for transport in options.transports)
    return [_case(options, systems[side], max(options.streams)) for side in sides if side != "path sse"]


def _case(options: Options, system: System, streams: int) -> Case:
    rate = max(1.0, min(options.rate, options.load / streams))
    seconds = options.seconds * (1 - _OPENING_SHARE)
    window = max(seconds, _PING_PERIOD) if "edgegpt" in system.name and options.seconds >= 5 else seconds
    return Case(system, streams, rate, window)


def time_limit(cases: Sequence[Case]) -> float:
    """Return for how many seconds a round of all of them may last."""
    return sum(case.plan.limit for case in cases)
