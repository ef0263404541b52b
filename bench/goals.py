"""The goals, beside what was measured. Ratios are taken within each round; what counts is their median."""

from collections.abc import Mapping
from statistics import median
from typing import Any

import msgspec

from bench.ratios import IN_WINDOW, PATH, WHOLE, Values, cpu, less, ratios, side, value, values

_LITELLM_STREAMS = 20
# By transport: its name, and the bound in kB for each open stream.
_MEMORY = {"sse": ("SSE", 16), "ws": ("WebSocket", 26)}
_COUNTS = {2: "two", 3: "three", 4: "four"}
_GATEWAYS = 1.1


class Goal(msgspec.Struct, frozen=True):
    """`figure` shall be at most `bound`. `measured`: least, median and most over the rounds; None if it was not."""

    figure: str
    bound: float
    unit: str
    measured: tuple[float, float, float] | None

    @property
    def met(self) -> bool | None:
        """Whether it is; None if nobody knows."""
        return None if self.measured is None else self.measured[1] <= self.bound


def goals(found: Mapping[str, Any]) -> list[Goal]:
    """All goals, for a document without them."""
    parts = (_gateway, _litellm, _worker, _delay, _memory, _growth, _gateways, _standalone)
    return [goal for part in parts for goal in part(found)]


def _gateway(found: Mapping[str, Any]) -> list[Goal]:
    path, floor, plain = (cpu(side(found, name)) for name in ("path", "floor", "plain"))
    sockets, bare_sockets = (cpu(side(found, name, "ws")) for name in ("path", "floor"))
    bare = ratios(sockets, bare_sockets)
    return [
        _goal("gateway CPU per delta, SSE, over the floor's", 1.5, "×", ratios(path, floor)),
        _goal("gateway CPU per delta, SSE, over the plain way's", 0.55, "×", ratios(path, plain)),
        _goal("gateway CPU per delta, WebSocket, over a bare Starlette app's", 1.5, "×", bare),
    ]


def _litellm(found: Mapping[str, Any]) -> list[Goal]:
    path, few = side(found, "path"), side(found, "path", "sse", _LITELLM_STREAMS)
    litellm = side(found, "litellm", "openai", _LITELLM_STREAMS)
    goals = []
    for key, more in ((IN_WINDOW, ""), (WHOLE, ", with questions' beginnings and ends")):
        ours, ours_of_few, theirs = cpu(path, *PATH, key=key), cpu(few, *PATH, key=key), cpu(litellm, key=key)
        figure = f"our path all in, CPU per delta, over LiteLLM's at 20 answers{more}"
        goals.append(_goal(figure, 0.1, "×", ratios(ours, theirs)))
        goals.append(_goal(f"the same with 20 answers on both sides{more}", 0.1, "×", ratios(ours_of_few, theirs)))
    return goals


def _worker(found: Mapping[str, Any]) -> list[Goal]:
    path, plain, edgegpt = (cpu(side(found, name), "worker") for name in ("path", "plain", "edgegpt"))
    own, edgegpt_own = (cpu(side(found, name), "client") for name in ("synthetic alone", "edgegpt alone"))
    appends = ratios(less(path, own), less(plain, own))
    beyond = ratios(less(edgegpt, edgegpt_own), edgegpt_own)
    return [
        _goal("worker's append path, over awaiting each append", 0.5, "×", appends),
        _goal("worker with EdgeGPT beyond EdgeGPT's own cost, over that cost", 0.5, "×", beyond),
    ]


def _delay(found: Mapping[str, Any]) -> list[Goal]:
    path, floor = side(found, "path"), side(found, "floor")
    p50, p99 = ((values(path, "delay_ms", part), values(floor, "delay_ms", part)) for part in ("p50", "p99"))
    goals = [
        _goal("added delay per delta, p50", 2.0, " ms", less(*p50)),
        _goal("delay per delta, p99, over the floor's", 3.0, "×", ratios(*p99)),
    ]
    if rest := found["rest"]:
        first, trip = rest["first_delta_ms"], rest["redis_round_trip_ms"]["p50"]
        added = first["path"]["p50"] - first["floor"]["p50"]
        goals.append(
            _goal("added time to first delta, idle (4 round trips to Redis + 1 ms)", 4 * trip + 1, " ms", [added])
        )
    return goals


def _memory(found: Mapping[str, Any]) -> list[Goal]:
    main, most = _counts(found)
    goals = []
    for count in (main, most) if most > main else (main,):
        part, more = ("compared", "") if count == main else ("grown", f", at {count:,} answers")
        for transport, (name, bound) in _MEMORY.items():
            held = values(side(found, "path", transport, count, part), "kb_per_stream", "gateway")
            goals.append(_goal(f"gateway's memory per open stream, {name}{more}", bound, " kB", held))
    return goals


def _growth(found: Mapping[str, Any]) -> list[Goal]:
    main, most = _counts(found)
    if most == main:
        return []
    few, many = (cpu(side(found, "path", "sse", count, "grown"), *PATH) for count in (main, most))
    return [_goal(f"CPU per delta at {most:,} answers, over that at {main:,}", 1.0, "×", ratios(many, few))]


def _gateways(found: Mapping[str, Any]) -> list[Goal]:
    """More gateways beside one; nothing where it was not one that the others are beside."""
    first, *others = found["settings"]["gateways"]
    main, one = _counts(found)[0], cpu(side(found, "path"))
    goals = []
    for count in others if first == 1 else ():
        name, sharing = f"{_COUNTS[count]} gateways", cpu(side(found, f"path x{count}"))
        if count == 2:
            alike = cpu(side(found, "path x2", "sse", 2 * main))
            figure = f"{name}, each with as many answers as the one, CPU per delta over one's"
            goals.append(_goal(figure, _GATEWAYS, "×", ratios(alike, one)))
        figure = f"{name} that share them, CPU per delta over one's"
        goals.append(_goal(figure, _GATEWAYS, "×", ratios(sharing, one)))
    return goals


def _standalone(found: Mapping[str, Any]) -> list[Goal]:
    rest = found["rest"]
    if not rest:
        return []
    return [
        _goal("standalone, first frame, p99, idle", 50.0, " ms", [rest["first_delta_ms"]["standalone"]["p99"]]),
        _goal(
            "standalone, 50 answers at once, the latest percent, first or not",
            250.0,
            " ms",
            [_latest(rest["standalone"])],
        ),
    ]


def _latest(figures: Mapping[str, Any]) -> float | None:
    """The p99 of first deltas or of all, whichever is later: one that falls behind may not get to the second delta."""
    known = [found for key in ("first_delta_ms", "delay_ms") if (found := value(figures, key, "p99")) is not None]
    return max(known, default=None)


def _counts(found: Mapping[str, Any]) -> tuple[int, int]:
    """How many answers sides are compared at, and the most that were at once."""
    streams = found["settings"]["streams"]
    return streams[0], max(streams)


def _goal(figure: str, bound: float, unit: str, measured: Values) -> Goal:
    known = [one for one in measured if one is not None]
    spread = (round(min(known), 3), round(median(known), 3), round(max(known), 3)) if known else None
    return Goal(figure, round(bound, 2), unit, spread)
