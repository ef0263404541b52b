"""The command line of the load kit."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.clients.transports import SOCKET, SSE
from bench.peers.peers import PEERS

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
    peers: tuple[str, ...]
    before: Path | None
    output: Path | None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(part) for part in text.split(",")))


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in text.split(",") if part))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure our path beside others.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
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
    add("--saturate", action="store_true", help="increase our path's streams until it can't follow")
    add("--peers", type=_names, default="", help="programs measured beside our path before one model server")
    add("--before", type=Path, help="a worktree of another commit, whose path is measured beside ours in each round")
    add("--output", type=Path, help="a folder for result.json, a table and plots")
    return parser


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """Return the command line's options; end the process with one sentence when they are wrong."""
    parser = _parser()
    parsed = parser.parse_args(arguments)
    for name, (least, most) in _BOUNDS.items():
        value = getattr(parsed, name)
        if not all(least <= number <= most for number in (value if isinstance(value, tuple) else (value,))):
            parser.error(f"--{name} must be from {least} to {most}")
    for name, known in (("sides", _SIDES), ("transports", _TRANSPORTS), ("peers", PEERS)):
        if unknown := set(getattr(parsed, name)) - set(known):
            parser.error(f"--{name} has no {', '.join(sorted(unknown))}")
    if parsed.before and not (parsed.before / "bench" / "synthetic.py").is_file():
        parser.error(f"--before {parsed.before} is no worktree of this project")
    return Options(**vars(parsed))
