"""`python -m bench.overload` asks twice as much as the path carries, and gives ordinary streams costly neighbours.

One JSON document goes to stdout, what happens to stderr. The exit code is 0 when all is as it should be.
"""

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from bench.command import carry_out
from bench.overload.crowd import full_rate, overload, questions, readers, verdicts
from bench.overload.deployment import GATEWAYS, start
from bench.overload.neighbours import neighbours
from bench.processes import Processes


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Start everything, measure, end everything."""
    report: dict[str, Any] = {
        "settings": vars(options) | {"gateways": GATEWAYS, "workers": 1},
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with Processes(Path(folder)) as processes:
            deployment = await start(processes, Path(folder), options.streams)
            if options.rounds:
                beside = await neighbours(deployment, options.rounds)
                report["neighbours"] = msgspec.to_builtins(beside) | {"fair": beside.fair}
                _say("neighbours", {"p99, ms": beside.p99_ms, "ratios": beside.ratios, "fair": beside.fair})
            shapes = {"worker": questions(options.streams), "gateway": readers} if options.seconds else {}
            for full, shape in shapes.items():
                rate = await full_rate(deployment, shape)
                found = await overload(deployment, shape, rate, options.seconds)
                wanted = verdicts(found, merging=full == "worker")
                report[f"{full} full"] = msgspec.to_builtins(found) | {"verdicts": wanted}
                _say(f"{full} full at {rate:g} pieces a second of each answer, twice that", wanted)
    return report


def _say(what: str, found: dict[str, Any]) -> None:
    print(f"{what}: {', '.join(f'{name}: {value}' for name, value in found.items())}", file=sys.stderr)


def good(report: dict[str, Any]) -> bool:
    """Whether everything in a report is as it should be."""
    parts = [part for part in report.values() if isinstance(part, dict)]
    return all(part.get("fair", True) and all(part.get("verdicts", {}).values()) for part in parts)


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.overload", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=200, help="answers at once under overload")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the path is overloaded; 0: not at all")
    parser.add_argument("--rounds", type=int, default=5, help="how often each neighbour is there; 0: never")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(carry_out(run(read_options()), good))
