"""How the cost of a delta changes with gateways and with answers, and what 100,000 and more would need, on paper."""

import math
from collections.abc import Mapping
from typing import Any

from bench.report.capacity import LENGTH, PIECES, USED, path_costs, show_count, spread_of
from bench.report.cell import show
from bench.report.ratios import IN_WINDOW, PATH

Document = Mapping[str, Any]

_GATEWAYS = {
    "1": "path sse 300",
    "2, each with as many streams": "path x2 sse 600",
    "2 that share the streams": "path x2 sse 300",
    "4 that share the streams": "path x4 sse 300",
}
_KINDS = {"gateway": "gateway, CPU a delta, µs", "worker": "worker", "redis": "Redis"}
_SIZES = (100_000, 1_000_000)
# For how many seconds Redis keeps an answer here after its end: an EventSource comes back within seconds.
_ANSWER_TTL = 60
_NEEDED = {"g", "w", "r", "q", "mg", "mw", "mr"}


def growth_tables(document: Document) -> str:
    """Return what a delta costs with more gateways, and with more answers."""
    return f"{_by_gateways(document)}\n\n{_by_answers(document)}"


def _by_gateways(document: Document) -> str:
    costs = {case: _median(document, "compared", case, "gateway") for case in _GATEWAYS.values()}
    first = costs[_GATEWAYS["1"]]
    rows = ["| gateways | CPU a delta, each | over that of one |", "| --- " * 3 + "|"]
    for name, case in _GATEWAYS.items():
        cost = costs[case]
        cells = f"{show(cost)} µs | {show(cost / first)}" if cost and first else "not measured | "
        rows.append(f'| {name} (`compared["{case}"]`) | {cells} |')
    return "\n".join(rows)


def _by_answers(document: Document) -> str:
    # Those over one transport: the others are there at the largest count only.
    cases = [case for case in document["grown"] if case.startswith("path sse ")]
    head = " | ".join(f"{int(case.rsplit(' ', 1)[1]):,}" for case in cases)
    rows = [f"| answers at once (`grown`) | {head} |", "| --- " * (len(cases) + 1) + "|"]
    for role in PATH:
        costs = [_median(document, "grown", case, role) for case in cases]
        rows.append(f"| {_KINDS[role]} | {' | '.join('' if cost is None else show(cost) for cost in costs)} |")
    return "\n".join(rows)


def _median(document: Document, part: str, case: str, role: str) -> float | None:
    spread = spread_of(document, (part, case, IN_WINDOW, role))
    median: float | None = spread and spread[1]
    return median


def sizes_table(document: Document) -> str:
    """Return what the two sizes need; "" where not all of our path was measured."""
    known = {name.strip("*"): cost for name, cost in path_costs(document).items() if cost is not None}
    if not known.keys() >= _NEEDED:
        return ""
    needs = [_needs(known, streams) for streams in _SIZES]
    rows = [f"| | formula | {' | '.join(f'{streams:,} streams' for streams in _SIZES)} |", "| --- " * 4 + "|"]
    rows += [f"| {label} | {' | '.join(need[label] for need in needs)} |" for label in needs[0]]
    return "\n".join(rows)


def _needs(costs: Mapping[str, float], streams: int) -> dict[str, str]:
    """Return what is needed, by its name and its formula."""
    deltas, core = streams * PIECES, USED * 1e6
    gateways, workers = deltas * costs["g"] / core, deltas * costs["w"] / core
    shards = streams * (PIECES * costs["r"] + costs["q"] / LENGTH) / core
    slots = 1.2 * streams / workers
    stored = streams * (1 + _ANSWER_TTL / LENGTH)
    return {
        "gateway cores (processes) | N · d · g / (u · 10⁶)": _processes(gateways),
        "streams on each gateway | N / that": show_count(streams / gateways),
        "memory of gateways | N · mg": _size(streams * costs["mg"]),
        "worker cores (processes) | N · d · w / (u · 10⁶)": _processes(workers),
        "`WORKER_SLOTS` of each | N / that, and a fifth more": show_count(slots),
        "memory of workers | N · mw": _size(streams * costs["mw"]),
        "Redis primaries (S), with a replica each | N · (d · r + q / T) / (u · 10⁶)": _processes(shards),
        "memory of Redis, of the primaries | N · (1 + ANSWER_TTL / T) · mr": _size(stored * costs["mr"]),
        "pub/sub connections | gateways · S": show_count(gateways * shards),
    }


def _processes(number: float) -> str:
    return f"{math.ceil(number):,}"


def _size(kb: float) -> str:
    return f"{kb / 1e6:.1f} GB"
