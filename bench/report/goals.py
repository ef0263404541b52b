"""The goals, beside what was measured. Ratios are taken within each round; their median is what counts."""

from collections.abc import Mapping
from typing import Any

from bench.measure.cases import BRIEF
from bench.report.goal import Goal, make_goal
from bench.report.ratios import (
    IN_WINDOW,
    PATH,
    WHOLE,
    RoundFigures,
    cpu,
    differences,
    ratios,
    side_rounds,
    value,
    values,
)
from bench.report.served_goals import served_goals

Document = Mapping[str, Any]

# By transport: its name, and the bound in kB for each open stream.
_MEMORY = {"sse": ("SSE", 16), "ws": ("WebSocket", 26)}
_COUNTS = {2: "two", 3: "three", 4: "four"}
_GATEWAYS = 1.1
# What a delta may cost each process, and a stream in memory, over what it did in another commit.
_BEFORE = {"gateway": 1.03, "worker": 1.03, "redis": 0.5}
_MEMORY_BEFORE = 1.03
# The same of all processes together, and of a question's beginning and end.
_ALL_BEFORE = 0.75
_BRIEF_BEFORE = 0.5


def goals(document: Document) -> list[Goal]:
    """Return all goals, for a document without them."""
    return path_goals(document) + sitting_goals(document)


def path_goals(document: Document) -> list[Goal]:
    """Return the goals of our path beside the floor, the plain way and EdgeGPT."""
    parts = (_gateway, _worker, _delay, _memory, _growth, _gateways, _standalone)
    return [goal for part in parts for goal in part(document)]


def sitting_goals(document: Document) -> list[Goal]:
    """Return the goals of our path before a model server, and beside that of another commit."""
    return [*served_goals(document), *_before(document)]


def _gateway(document: Document) -> list[Goal]:
    path, floor, plain = (cpu(side_rounds(document, name)) for name in ("path", "floor", "plain"))
    sockets, bare_sockets = (cpu(side_rounds(document, name, "ws")) for name in ("path", "floor"))
    bare = ratios(sockets, bare_sockets)
    return [
        make_goal("gateway CPU per delta, SSE, over the floor's", 1.25, "×", ratios(path, floor)),
        make_goal("gateway CPU per delta, SSE, over the plain way's", 0.55, "×", ratios(path, plain)),
        make_goal("gateway CPU per delta, WebSocket, over a bare Starlette app's", 1.5, "×", bare),
    ]


def _worker(document: Document) -> list[Goal]:
    path, plain, edgegpt = (cpu(side_rounds(document, name), "worker") for name in ("path", "plain", "edgegpt"))
    own, edgegpt_own = (cpu(side_rounds(document, name), "client") for name in ("synthetic alone", "edgegpt alone"))
    appends = ratios(differences(path, own), differences(plain, own))
    beyond = ratios(differences(edgegpt, edgegpt_own), edgegpt_own)
    return [
        make_goal("worker's append path, over awaiting each append", 0.5, "×", appends),
        make_goal("worker with EdgeGPT beyond EdgeGPT's own cost, over that cost", 0.5, "×", beyond),
    ]


def _delay(document: Document) -> list[Goal]:
    path, floor = side_rounds(document, "path"), side_rounds(document, "floor")
    p50, p99 = ((values(path, "delay_ms", part), values(floor, "delay_ms", part)) for part in ("p50", "p99"))
    goals = [
        make_goal("added delay per delta, p50", 2.0, " ms", differences(*p50)),
        make_goal("delay per delta, p99, over the floor's", 3.0, "×", ratios(*p99)),
    ]
    if rest := document["rest"]:
        first, trip = rest["first_delta_ms"], rest["redis_round_trip_ms"]["p50"]
        added = first["path"]["p50"] - first["floor"]["p50"]
        goals.append(
            make_goal("added time to first delta, idle (4 round trips to Redis + 1 ms)", 4 * trip + 1, " ms", [added])
        )
    return goals


def _memory(document: Document) -> list[Goal]:
    main, most = _stream_counts(document)
    goals = []
    for count in (main, most) if most > main else (main,):
        part, scope = ("compared", "") if count == main else ("grown", f", at {count:,} answers")
        for transport, (name, bound) in _MEMORY.items():
            memory = values(side_rounds(document, "path", transport, count, part), "kb_per_stream", "gateway")
            goals.append(make_goal(f"gateway's memory per open stream, {name}{scope}", bound, " kB", memory))
    return goals


def _growth(document: Document) -> list[Goal]:
    main, most = _stream_counts(document)
    if most == main:
        return []
    few, many = (cpu(side_rounds(document, "path", "sse", count, "grown"), *PATH) for count in (main, most))
    return [make_goal(f"CPU per delta at {most:,} answers, over that at {main:,}", 1.0, "×", ratios(many, few))]


def _gateways(document: Document) -> list[Goal]:
    """Compare more gateways with one; nothing where the others were not measured beside one."""
    first, *others = document["settings"]["gateways"]
    main, single = _stream_counts(document)[0], cpu(side_rounds(document, "path"))
    goals = []
    for count in others if first == 1 else ():
        name, sharing = f"{_COUNTS[count]} gateways", cpu(side_rounds(document, f"path x{count}"))
        if count == 2:
            alike = cpu(side_rounds(document, "path x2", "sse", 2 * main))
            figure = f"{name}, each with as many answers as the one, CPU per delta over one's"
            goals.append(make_goal(figure, _GATEWAYS, "×", ratios(alike, single)))
        figure = f"{name} that share them, CPU per delta over one's"
        goals.append(make_goal(figure, _GATEWAYS, "×", ratios(sharing, single)))
    return goals


def _standalone(document: Document) -> list[Goal]:
    rest = document["rest"]
    if not rest:
        return []
    latest = _latest(rest["standalone"])
    return [
        make_goal("standalone, first frame, p99, idle", 50.0, " ms", [rest["first_delta_ms"]["standalone"]["p99"]]),
        make_goal("standalone, 50 answers at once, the latest percent, first or not", 250.0, " ms", [latest]),
    ]


def _before(document: Document) -> list[Goal]:
    """Compare our path with that of the other tree; nothing where there was none."""
    goals = []
    for transport, (name, _) in _MEMORY.items():
        path, before = (side_rounds(document, side, transport) for side in ("path", "before"))
        if not before:
            continue
        goals += [*_costs_before(name, path, before), *_memory_before(name, path, before)]
        brief = [side_rounds(document, side, transport, BRIEF) for side in ("path", "before")]
        figure = f"question's beginning and end, all processes, {name}, over that before"
        ours, earlier = (cpu(rounds, *PATH, key=WHOLE) for rounds in brief)
        goals.append(make_goal(figure, _BRIEF_BEFORE, "×", ratios(ours, earlier)))
    return goals


def _costs_before(name: str, path: RoundFigures, before: RoundFigures) -> list[Goal]:
    goals = []
    for role, bound in _BEFORE.items():
        figure = f"{role} CPU per delta, {name}, over that before"
        goals.append(make_goal(figure, bound, "×", ratios(cpu(path, role), cpu(before, role))))
    for key, scope in ((IN_WINDOW, ""), (WHOLE, ", with questions' beginnings and ends")):
        figure = f"all processes' CPU per delta, {name}, over that before{scope}"
        measured = ratios(cpu(path, *PATH, key=key), cpu(before, *PATH, key=key))
        goals.append(make_goal(figure, _ALL_BEFORE, "×", measured))
    return goals


def _memory_before(name: str, path: RoundFigures, before: RoundFigures) -> list[Goal]:
    goals = []
    for role in ("gateway", "worker"):
        measured = ratios(*(values(rounds, "kb_per_stream", role) for rounds in (path, before)))
        goals.append(make_goal(f"{role} memory per stream, {name}, over that before", _MEMORY_BEFORE, "×", measured))
    return goals


def _latest(figures: Mapping[str, Any]) -> float | None:
    """Return the p99 of first deltas or of all, whichever is later: a late stream may not get to its second delta."""
    p99s = [value(figures, key, "p99") for key in ("first_delta_ms", "delay_ms")]
    return max((p99 for p99 in p99s if p99 is not None), default=None)


def _stream_counts(document: Document) -> tuple[int, int]:
    """Return how many answers sides are compared at, and the most that were open at once."""
    streams = document["settings"]["streams"]
    return streams[0], max(streams)
