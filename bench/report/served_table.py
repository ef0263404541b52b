"""The table of the sides before one model server: each with all its processes together."""

from collections.abc import Mapping
from typing import Any

from bench.report.cell import cell
from bench.report.document import spread_over
from bench.report.ratios import IN_WINDOW, PATH, WHOLE

Document = Mapping[str, Any]

_HEAD = (
    "| side | CPU | gateway | worker | Redis | CPU, with beginnings and ends | first chunk p50 | delay p50 | delay p99 "
    "| kB | cores elsewhere |"
)
# Those that are the same for all sides.
_NOT_ITS_OWN = ("client", "upstream")


def served_table(cases: Document, versions: Mapping[str, str]) -> str:
    """Return the table with the versions of other people's programs."""
    programs = ", ".join(f"{name} {version}" for name, version in versions.items())
    text = "Of all processes of a side: µs of CPU per chunk, kB of memory per stream; times in ms; median (least–most)."
    rows = [f"| {name} | " + " | ".join(_cells(case)) + " |" for name, case in cases.items()]
    return "\n".join([f"{text} {programs}.\n", _HEAD, "| --- " * 11 + "|", *rows])


def _cells(case: Document) -> list[str]:
    figures = case["figures"]
    first, delay = (figures[key] or {} for key in ("first_delta_ms", "delay_ms"))
    used = figures[IN_WINDOW] or {}
    window, whole = (spread_over([_total(round_[key]) for round_ in case["rounds"]]) for key in (IN_WINDOW, WHOLE))
    memory = spread_over([_total(round_["kb_per_stream"]) for round_ in case["rounds"]])
    times = [first.get("p50"), delay.get("p50"), delay.get("p99")]
    # A program that is one process, or one kind, has nothing to split.
    split = [used.get(role) if "worker" in used else None for role in PATH]
    return [cell(spread) for spread in (window, *split, whole, *times, memory, figures["cores_elsewhere"])]


def _total(roles: Mapping[str, float] | None) -> float | None:
    return None if roles is None else sum(used for role, used in roles.items() if role not in _NOT_ITS_OWN)
