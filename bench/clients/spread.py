"""Percentiles."""

import math
from collections.abc import Iterable

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """The median and the 99th percentile, in milliseconds."""

    p50: float
    p99: float


def percentile(ordered: list[int], share: float) -> int:
    """Return the smallest ordered value that `share` of them (0 to 1) don't exceed. ValueError without values."""
    if not ordered:
        raise ValueError("a percentile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def spread(nanoseconds: Iterable[int]) -> Spread | None:
    """Return the spread of these times; None without any."""
    ordered = sorted(nanoseconds)
    if not ordered:
        return None
    return Spread(round(percentile(ordered, 0.5) / 1e6, 3), round(percentile(ordered, 0.99) / 1e6, 3))
