"""The figures of sides, round by round, and the ratios and differences between them: one value of each round."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

# A round's figures, as they stand in the document; a value of one round, None where it was not measured.
Rounds = Sequence[Mapping[str, Any]]
Values = list[float | None]

IN_WINDOW, WHOLE = "cpu_us_per_delta", "cpu_us_per_delta_whole"
# What our path consists of.
PATH = ("gateway", "worker", "redis")


def side(
    found: Mapping[str, Any], system: str, transport: str = "sse", streams: int | None = None, part: str = "compared"
) -> Rounds:
    """The rounds of a side at a count of streams, the first one unless told; none where it wasn't measured."""
    count = found["settings"]["streams"][0] if streams is None else streams
    case = found[part].get(f"{system} {transport} {count}")
    rounds: Rounds = case["rounds"] if case else []
    return rounds


def values(rounds: Rounds, key: str, part: str) -> Values:
    """A part of a figure in each round."""
    return [value(one, key, part) for one in rounds]


def value(figures: Mapping[str, Any], key: str, part: str) -> float | None:
    """A part of a figure."""
    found = figures[key]
    return None if found is None else found.get(part)


def cpu(rounds: Rounds, *roles: str, key: str = IN_WINDOW) -> Values:
    """CPU per delta of these roles together; of the gateway, unless told."""
    return [_sum(value(one, key, role) for role in roles or ("gateway",)) for one in rounds]


def _sum(parts: Iterable[float | None]) -> float | None:
    known = list(parts)
    return None if None in known else sum(part for part in known if part is not None)


def ratios(ours: Values, theirs: Values) -> Values:
    """Ours over theirs."""
    return _pairs(ours, theirs, lambda our, their: our / their if their > 0 else None)


def less(ours: Values, theirs: Values) -> Values:
    """Ours less theirs."""
    return _pairs(ours, theirs, lambda our, their: our - their)


def _pairs(ours: Values, theirs: Values, make: Callable[[float, float], float | None]) -> Values:
    """What is made of the two values of each round."""
    return [
        None if our is None or their is None else make(our, their) for our, their in zip(ours, theirs, strict=False)
    ]
