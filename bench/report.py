"""From the rounds to the document that the bench prints."""

import platform
from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec

from bench.rounds import Round
from bench.systems import GATEWAYS, WORKERS

Figures = dict[str, Any]

_COMPARED = {
    "gateway_cpu": ("cpu_us_per_delta", "gateway"),
    "gateway_kb_per_stream": ("kb_per_stream", "gateway"),
    "delay_p50": ("delay_ms", "p50"),
    "delay_p99": ("delay_ms", "p99"),
    "first_delta_p50": ("first_delta_ms", "p50"),
    "first_delta_p99": ("first_delta_ms", "p99"),
}


def document(settings: Figures, cores: int, path: Sequence[Round], floor: Sequence[Round]) -> Figures:
    """The whole report. `path` and `floor` are the rounds in order; those of the same place ran one after the other."""
    return {
        "settings": settings | {"gateways": GATEWAYS, "workers": WORKERS, "floors": GATEWAYS},
        "machine": {"cores": cores, "python": platform.python_version()},
        "path": summary(path),
        "floor": summary(floor),
        "ratios": ratios(path, floor),
        "rounds": {"path": msgspec.to_builtins(path), "floor": msgspec.to_builtins(floor)},
    }


def summary(rounds: Sequence[Round]) -> Figures:
    """The median of each figure; the answers' counts are added up."""
    made = [msgspec.to_builtins(one) for one in rounds]
    answers = [one.pop("answers") for one in made]
    counts = {key: sum(one[key] for one in answers) for key in ("asked", "complete", "incorrect", "unfinished")}
    return {"answers": counts} | {key: _median([one[key] for one in made]) for key in made[0]}


def _median(values: list[Any]) -> Any:
    """The median of numbers, or of each part of dictionaries; None for rounds without a window doesn't count."""
    known = [value for value in values if value is not None]
    if known and isinstance(known[0], dict):
        return {key: _median([value[key] for value in known]) for key in known[0]}
    return round(median(known), 3) if known else None


def ratios(path: Sequence[Round], floor: Sequence[Round]) -> dict[str, float | None]:
    """How many times the floor's figure ours is: the median of the pairs of rounds."""
    pairs = [(msgspec.to_builtins(ours), msgspec.to_builtins(bare)) for ours, bare in zip(path, floor, strict=True)]
    return {
        name: _ratio([(_at(ours, *place), _at(bare, *place)) for ours, bare in pairs])
        for name, place in _COMPARED.items()
    }


def _at(figures: Figures, key: str, part: str) -> float | None:
    found = figures[key]
    return None if found is None else found[part]


def _ratio(pairs: list[tuple[float | None, float | None]]) -> float | None:
    found = [ours / bare for ours, bare in pairs if ours is not None and bare is not None and bare > 0]
    return round(median(found), 2) if found else None
