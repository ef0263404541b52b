"""The figures of sides, round by round, and the ratios and differences between them: one value of each round."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

# The rounds' figures as the document contains them; a value of each round, None where it was not measured.
RoundFigures = Sequence[Mapping[str, Any]]
Values = list[float | None]

IN_WINDOW, WHOLE = "cpu_us_per_delta", "cpu_us_per_delta_whole"
# What our path consists of.
PATH = ("gateway", "worker", "redis")


def side_rounds(
    document: Mapping[str, Any],
    system: str,
    transport: str = "sse",
    case: int | str | None = None,
    part: str = "compared",
) -> RoundFigures:
    """Return the rounds of a side at a count of streams, by default the first, or in a case that has a name.

    None where it wasn't measured.
    """
    last = document["settings"]["streams"][0] if case is None else case
    found = document[part].get(f"{system} {transport} {last}")
    rounds: RoundFigures = found["rounds"] if found else []
    return rounds


def values(rounds: RoundFigures, key: str, part: str) -> Values:
    """Return a part of a figure in each round."""
    return [value(figures, key, part) for figures in rounds]


def value(figures: Mapping[str, Any], key: str, part: str) -> float | None:
    """Return a part of a figure."""
    parts = figures[key]
    return None if parts is None else parts.get(part)


def cpu(rounds: RoundFigures, *roles: str, key: str = IN_WINDOW) -> Values:
    """Return the CPU per delta of these roles together, by default of the gateway."""
    return [_sum(value(figures, key, role) for role in roles or ("gateway",)) for figures in rounds]


def _sum(parts: Iterable[float | None]) -> float | None:
    known = list(parts)
    return None if None in known else sum(part for part in known if part is not None)


def ratios(ours: Values, theirs: Values) -> Values:
    """Return ours over theirs."""
    return _pairs(ours, theirs, lambda our, their: our / their if their > 0 else None)


def differences(ours: Values, theirs: Values) -> Values:
    """Return ours less theirs."""
    return _pairs(ours, theirs, lambda our, their: our - their)


def _pairs(ours: Values, theirs: Values, combine: Callable[[float, float], float | None]) -> Values:
    """Combine the two values of each round."""
    return [
        None if our is None or their is None else combine(our, their) for our, their in zip(ours, theirs, strict=False)
    ]
