"""What one process of each kind carries, and how many a load needs: the tables of docs/operations/capacity.md."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.measure.cases import BRIEF, MANY_STREAMS, OURS
from bench.report.cell import cell
from bench.report.ratios import IN_WINDOW, PATH, WHOLE

Document = Mapping[str, Any]

# How much of a core is used on purpose.
USED = 0.6
# Pieces of text of a stream in a second, and the seconds of an answer, in the examples.
PIECES, LENGTH = 20, 30
# By name: what it is, where it is in the document, and its unit.
Figures = Mapping[str, tuple[str, tuple[str, ...], str]]

_PATH_FIGURES: Figures = {
    "*g*": ("gateway, CPU a delta, SSE", ("compared", "path sse 300", IN_WINDOW, "gateway"), "µs"),
    "*g′*": ("gateway, CPU a delta, WebSocket", ("compared", "path ws 300", IN_WINDOW, "gateway"), "µs"),
    "*w*": (
        "worker, CPU a delta, an upstream that costs nothing",
        ("compared", "path sse 300", IN_WINDOW, "worker"),
        "µs",
    ),
    "*w′*": ("worker with EdgeGPT", ("compared", "edgegpt sse 300", IN_WINDOW, "worker"), "µs"),
    "*r*": (
        "Redis, CPU a delta, append-only file as deployed",
        ("compared", "path sse 300", IN_WINDOW, "redis"),
        "µs",
    ),
    "*q*": ("Redis, CPU of a question's beginning and end", ("compared", f"path sse {BRIEF}", WHOLE, "redis"), "µs"),
    "*mg*": ("gateway, memory an open stream, SSE", ("grown", "path sse 2000", "kb_per_stream", "gateway"), "kB"),
    "*mg′*": ("gateway, memory an open WebSocket", ("grown", "path ws 2000", "kb_per_stream", "gateway"), "kB"),
    "*mw*": ("worker, memory a running answer", ("compared", "path sse 300", "kb_per_stream", "worker"), "kB"),
    "*mr*": ("Redis, memory an answer that is kept", ("compared", "path sse 300", "redis_kb_per_answer"), "kB"),
}
_ROLE_NAMES = {"gateway": "gateway", "worker": "worker, a server of the OpenAI API", "redis": "Redis"}
_SERVED = f"{OURS} openai {MANY_STREAMS}"
_BRIEF = f"{OURS} openai {BRIEF}"
_SERVED_FIGURES: Figures = (
    {
        f"*c*, {role}": (f"{name}, CPU a chunk", ("served", _SERVED, IN_WINDOW, role), "µs")
        for role, name in _ROLE_NAMES.items()
    }
    | {
        f"*b*, {role}": (f"{name}, CPU of a question's beginning and end", ("served", _BRIEF, WHOLE, role), "µs")
        for role, name in _ROLE_NAMES.items()
    }
    | {"*n*": ("nginx, CPU a chunk", ("served", f"nginx openai {MANY_STREAMS}", IN_WINDOW, "gateway"), "µs")}
)
# Streams at once, the chunks of each in a second, and the seconds of an answer.
_LOADS = ((100, 20, 30), (300, 20, 30), (1000, 20, 30), (1000, 50, 30), (1000, 20, 3), (10_000, 20, 30))
_KINDS = ("gateways", "workers", "Redis")


def spread_of(document: Document, place: Sequence[str]) -> Any:
    """Return [least, median, most] of a figure, None where it wasn't measured."""
    part, case, *keys = place
    found = document[part].get(case)
    for key in ("figures", *keys):
        found = found and found.get(key)
    return found


def carried_tables(document: Document) -> str:
    """Return what our path costs, and from that what one of each carries."""
    return f"{_figures(document, _PATH_FIGURES)}\n\n{_carried(path_costs(document))}"


def path_costs(document: Document) -> dict[str, float | None]:
    """Return the medians of what our path costs, by their names."""
    return _medians(document, _PATH_FIGURES)


def needed_tables(document: Document) -> str:
    """Return what our path costs before a model server, and from that how many of each some loads need."""
    costs = _medians(document, _SERVED_FIGURES)
    head = "| streams × chunks a second, seconds of an answer | " + " | ".join(f"{kind}: cores" for kind in _KINDS)
    rows = [f"{head} | {' | '.join(_KINDS)} |", "| --- " * 7 + "|"]
    for streams, chunks, seconds in _LOADS:
        cores = [_cores(costs, role, streams, chunks, seconds) for role in PATH]
        counts = [show_count(None if used is None else math.ceil(used / USED)) for used in cores]
        shares = [cell(used and [used] * 3) for used in cores]
        rows.append(f"| {streams:,} × {chunks}, {seconds} | {' | '.join([*shares, *counts])} |")
    return f"{_figures(document, _SERVED_FIGURES)}\n\n" + "\n".join(rows)


def _cores(costs: Mapping[str, float | None], role: str, streams: int, chunks: int, seconds: int) -> float | None:
    chunk, question = costs[f"*c*, {role}"], costs[f"*b*, {role}"]
    if chunk is None or question is None:
        return None
    return streams * (chunks * chunk + question / seconds) / 1e6


def _medians(document: Document, figures: Figures) -> dict[str, float | None]:
    spreads = {name: spread_of(document, place) for name, (_, place, _) in figures.items()}
    return {name: spread and spread[1] for name, spread in spreads.items()}


def _figures(document: Document, figures: Figures) -> str:
    rows = ["| name | what | figure in the JSON of `python -m bench` | measured |", "| --- " * 4 + "|"]
    for name, (what, place, unit) in figures.items():
        part, case, *keys = place
        spread = spread_of(document, place)
        measured = f"{cell(spread)} {unit}" if spread else "not measured"
        rows.append(f'| {name} | {what} | `{part}["{case}"].figures.{".".join(keys)}` | {measured} |')
    return "\n".join(rows)


def _carried(costs: Mapping[str, float | None]) -> str:
    def divide(by: str, amount: float) -> float | None:
        cost = costs[by]
        return amount / cost if cost else None

    def deltas(by: str) -> float | None:
        return divide(by, USED * 1e6)

    def streams(by: str) -> float | None:
        found = deltas(by)
        return found and found / PIECES

    def both(of: Callable[[str], float | None]) -> str:
        return f"{show_count(of('*w*'))}, with EdgeGPT {show_count(of('*w′*'))}"

    rows = [
        f"| one … | carries | formula | at u = {USED:g} |",
        "| --- " * 4 + "|",
        f"| gateway core | deltas a second | u · 10⁶ / g | {show_count(deltas('*g*'))} |",
        f"| | streams at d = {PIECES} | the same / d | {show_count(streams('*g*'))} |",
        f"| worker core | deltas a second | u · 10⁶ / w, with EdgeGPT u · 10⁶ / w′ | {both(deltas)} |",
        f"| | answers at once at d = {PIECES} | the same / d | {both(streams)} |",
        f"| Redis core | deltas a second | u · 10⁶ / r | {show_count(deltas('*r*'))} |",
        f"| | streams at d = {PIECES} | the same / d | {show_count(streams('*r*'))} |",
        f"| GB in gateways | open streams | 10⁶ / mg | {show_count(divide('*mg*', 1e6))} |",
        f"| GB in workers | running answers | 10⁶ / mw | {show_count(divide('*mw*', 1e6))} |",
        f"| GB in Redis | answers that are kept | 10⁶ / mr | {show_count(divide('*mr*', 1e6))} |",
    ]
    return "\n".join(rows)


def show_count(number: float | None) -> str:
    """Return a whole number with three digits that count."""
    return "not measured" if number is None else f"{float(f'{number:.3g}'):,.0f}"
