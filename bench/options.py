"""The command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.transports import SOCKET, SSE

PLAIN, EDGEGPT = "plain", "edgegpt"
_SIDES = (PLAIN, EDGEGPT)
_TRANSPORTS = (SSE, SOCKET)
_BOUNDS = {
    "streams": (1, 5000),
    "gateways": (1, 4),
    "rate": (1, 100),
    "load": (10, 100_000),
    "seconds": (0.5, 25),
    "rounds": (1, 20),
}


@dataclass(frozen=True)
class Options:
    """What to measure; see README.md.

    The sides are compared at `streams[0]`; at the other counts only our path is measured, with `gateways[0]`, and the
    floor at the largest.
    """

    streams: tuple[int, ...]
    gateways: tuple[int, ...]
    sides: tuple[str, ...]
    transports: tuple[str, ...]
    rate: float
    load: float
    seconds: float
    rounds: int
    rest: bool
    saturate: bool
    litellm: bool
    output: Path | None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(part) for part in text.split(",")))


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in text.split(",") if part))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--streams", type=_numbers, default="300", help="answers at once; sides are compared at the first count")
    add("--gateways", type=_numbers, default="1", help="gateways of our path; other counts are compared with the first")
    add("--sides", type=_names, default=",".join(_SIDES), help="measured beside our path and the floor")
    add("--transports", type=_names, default=",".join(_TRANSPORTS), help="how clients ask")
    add("--rate", type=float, default=20.0, help="pieces a second of each answer")
    add("--load", type=float, default=6000.0, help="pieces a second of all answers together, at most")
    add("--seconds", type=float, default=5.0, help="how long an answer takes, at least")
    add("--rounds", type=int, default=2, help="how often everything is measured")
    add("--rest", action="store_true", help="measure first deltas and memory at rest, and the standalone process")
    add("--saturate", action="store_true", help="let our path's streams grow until it can't follow")
    add("--litellm", action="store_true", help="measure LiteLLM's proxy too (tests/external/setup.sh installs it)")
    add("--output", type=Path, help="a folder for result.json, a table and plots")
    return parser


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """The command line; ends the process with one sentence when it is wrong."""
    parser = _parser()
    read = parser.parse_args(arguments)
    for name, (least, most) in _BOUNDS.items():
        given = getattr(read, name)
        if not all(least <= one <= most for one in (given if isinstance(given, tuple) else (given,))):
            parser.error(f"--{name} must be from {least} to {most}")
    for name, known in (("sides", _SIDES), ("transports", _TRANSPORTS)):
        if unknown := set(getattr(read, name)) - set(known):
            parser.error(f"--{name} knows no {', '.join(sorted(unknown))}")
    return Options(**vars(read))
