"""`python -m bench.overload` asks twice as much as the path carries, and gives ordinary streams expensive neighbours.

One JSON document goes to stdout, progress to stderr. The exit code is 0 when everything is as required.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.command import run_command
from bench.overload.crowd import find_full_rate, judge_overload, overload, questions, readers
from bench.overload.deployment import GATEWAYS, start
from bench.overload.neighbours import measure_neighbours
from bench.systems.processes import Processes


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Start everything, measure, end everything."""
    document: dict[str, Any] = {
        "settings": vars(options) | {"gateways": GATEWAYS, "workers": 1},
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
    }
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with Processes(Path(folder)) as processes:
            system = await start(processes, Path(folder), options.streams)
            if options.rounds:
                beside = await measure_neighbours(system, options.rounds)
                document["neighbours"] = msgspec.to_builtins(beside) | {"fair": beside.fair}
                _report("neighbours", {"p99, ms": beside.p99_ms, "ratios": beside.ratios, "fair": beside.fair})
            shapes = {"worker": questions(options.streams), "gateway": readers} if options.seconds else {}
            for full, shape in shapes.items():
                rate = await find_full_rate(system, shape)
                figures = await overload(system, shape, rate, options.seconds)
                verdicts = judge_overload(figures, merging=full == "worker")
                document[f"{full} full"] = msgspec.to_builtins(figures) | {"verdicts": verdicts}
                _report(f"{full} full at {rate:g} pieces a second of each answer, twice that", verdicts)
    return document


def _report(title: str, results: dict[str, Any]) -> None:
    print(f"{title}: {', '.join(f'{name}: {value}' for name, value in results.items())}", file=sys.stderr)


def is_as_required(document: dict[str, Any]) -> bool:
    """Return whether everything in a document is as required."""
    parts = [part for part in document.values() if isinstance(part, dict)]
    return all(part.get("fair", True) and all(part.get("verdicts", {}).values()) for part in parts)


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.overload", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=200, help="answers at once under overload")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the path is overloaded; 0: not at all")
    parser.add_argument("--rounds", type=int, default=5, help="how often each neighbour is measured; 0: never")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run_command(run(read_options()), is_as_required))
