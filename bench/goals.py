"""The goals, beside what was measured. Ratios are taken within each round; what counts is their median."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec

# A round's figures, as they stand in the document; a value of one round, None where it was not measured.
Rounds = Sequence[Mapping[str, Any]]
Values = list[float | None]

_LITELLM_STREAMS = 20


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
    return [*_processor(found), *_delay(found), *_memory(found), *_growth(found), *_standalone(found)]


def _processor(found: Mapping[str, Any]) -> list[Goal]:
    """CPU per delta against others."""
    path, floor, plain = (_side(found, name) for name in ("path", "floor", "plain"))
    sockets, bare_sockets = (_side(found, name, "ws") for name in ("path", "floor"))
    alone, edgegpt, edgegpt_alone = (_side(found, name) for name in ("synthetic alone", "edgegpt", "edgegpt alone"))
    few, litellm = _side(found, "path", "sse", _LITELLM_STREAMS), _side(found, "litellm", "openai", _LITELLM_STREAMS)
    own, edgegpt_own = _cpu(alone, "client"), _cpu(edgegpt_alone, "client")
    return [
        _goal("gateway CPU per delta, SSE, over the floor's", 1.5, "×", _ratios(_cpu(path), _cpu(floor))),
        _goal("gateway CPU per delta, SSE, over the plain way's", 0.55, "×", _ratios(_cpu(path), _cpu(plain))),
        _goal(
            "gateway CPU per delta, WebSocket, over a bare Starlette app's",
            1.5,
            "×",
            _ratios(_cpu(sockets), _cpu(bare_sockets)),
        ),
        _goal(
            "our path all in, CPU per delta, over LiteLLM's at 20 answers", 0.1, "×", _ratios(_all(path), _cpu(litellm))
        ),
        _goal("the same with 20 answers on both sides", 0.1, "×", _ratios(_all(few), _cpu(litellm))),
        _goal(
            "worker's append path, over awaiting each append",
            0.5,
            "×",
            _ratios(_less(_cpu(path, "worker"), own), _less(_cpu(plain, "worker"), own)),
        ),
        _goal(
            "worker with EdgeGPT beyond EdgeGPT's own cost, over that cost",
            0.5,
            "×",
            _ratios(_less(_cpu(edgegpt, "worker"), edgegpt_own), edgegpt_own),
        ),
    ]


def _delay(found: Mapping[str, Any]) -> list[Goal]:
    path, floor = _side(found, "path"), _side(found, "floor")
    goals = [
        _goal("added delay per delta, p50", 2.0, " ms", _less(_delays(path, "p50"), _delays(floor, "p50"))),
        _goal("delay per delta, p99, over the floor's", 3.0, "×", _ratios(_delays(path, "p99"), _delays(floor, "p99"))),
    ]
    if rest := found["rest"]:
        first, trip = rest["first_delta_ms"], rest["redis_round_trip_ms"]["p50"]
        added = first["path"]["p50"] - first["floor"]["p50"]
        goals.append(
            _goal("added time to first delta, idle (4 round trips to Redis + 1 ms)", 4 * trip + 1, " ms", [added])
        )
    return goals


def _memory(found: Mapping[str, Any]) -> list[Goal]:
    def memory(transport: str) -> Values:
        return [_part(one, "kb_per_stream", "gateway") for one in _side(found, "path", transport)]

    return [
        _goal("gateway's memory per open stream, SSE", 16, " kB", memory("sse")),
        _goal("gateway's memory per open stream, WebSocket", 26, " kB", memory("ws")),
    ]


def _growth(found: Mapping[str, Any]) -> list[Goal]:
    main, most = found["settings"]["streams"][0], max(found["settings"]["streams"])
    goals = []
    if most > main:
        few, many = (_all(_side(found, "path", "sse", count, "grown")) for count in (main, most))
        goals.append(_goal(f"CPU per delta at {most:,} answers, over that at {main:,}", 1.0, "×", _ratios(many, few)))
    two = _side(found, "path x2")
    goals.append(
        _goal("two gateways, CPU per delta over one's", 1.1, "×", _ratios(_cpu(two), _cpu(_side(found, "path"))))
    )
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
    known = [found for key in ("first_delta_ms", "delay_ms") if (found := _part(figures, key, "p99")) is not None]
    return max(known, default=None)


def _side(
    found: Mapping[str, Any], system: str, transport: str = "sse", streams: int | None = None, part: str = "compared"
) -> Rounds:
    count = found["settings"]["streams"][0] if streams is None else streams
    case = found[part].get(f"{system} {transport} {count}")
    rounds: Rounds = case["rounds"] if case else []
    return rounds


def _part(figures: Mapping[str, Any], key: str, part: str) -> float | None:
    found = figures[key]
    return None if found is None else found.get(part)


def _cpu(rounds: Rounds, *roles: str) -> Values:
    """CPU per delta of these roles together; of the gateway, unless told."""
    return [_sum(_part(one, "cpu_us_per_delta", role) for role in roles or ("gateway",)) for one in rounds]


def _all(rounds: Rounds) -> Values:
    """CPU per delta of our path with all that it consists of."""
    return _cpu(rounds, "gateway", "worker", "redis")


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _delays(rounds: Rounds, part: str) -> Values:
    return [_part(one, "delay_ms", part) for one in rounds]


def _ratios(ours: Values, theirs: Values) -> Values:
    return _pairs(ours, theirs, lambda our, their: our / their if their > 0 else None)


def _less(ours: Values, theirs: Values) -> Values:
    return _pairs(ours, theirs, lambda our, their: our - their)


def _pairs(ours: Values, theirs: Values, make: Callable[[float, float], float | None]) -> Values:
    """What is made of the two values of each round."""
    return [
        None if our is None or their is None else make(our, their) for our, their in zip(ours, theirs, strict=False)
    ]


def _goal(figure: str, bound: float, unit: str, values: Values) -> Goal:
    known = [value for value in values if value is not None]
    spread = (round(min(known), 3), round(median(known), 3), round(max(known), 3)) if known else None
    return Goal(figure, round(bound, 2), unit, spread)
