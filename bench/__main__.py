"""`python -m bench` measures our path beside the floor and prints one JSON document."""

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.client import Plan
from bench.errors import BenchError
from bench.processes import Processes
from bench.report import Figures, document
from bench.rounds import Round, memory, run_round
from bench.systems import System, start_floor, start_path

# An answer's share of time in which the streams are opened; all are open for what is left of it.
_OPENING = 0.25
# What a round may take beyond its answers' own time, and the whole run beyond its rounds, in seconds.
_ROUND_GRACE = 20.0
_RUN_GRACE = 120.0
# The warm-up's answers are short: all code has run and is in memory when the first round begins.
_WARM_STREAMS = 8
_WARM_DELTAS = 20
_PROVIDERS = {"edgegpt": "edgegpt", "synthetic": "bench.synthetic:Synthetic"}
_BOUNDS = {"streams": (1, 5000), "deltas": (10, 2000), "rate": (1, 100), "rounds": (1, 20)}


def plan_for(ports: list[int], streams: int, deltas: int, rate: float) -> Plan:
    """A round's plan."""
    answer = deltas / rate
    opening = _OPENING * answer
    return Plan(ports, streams, deltas, rate, opening, opening + answer + _ROUND_GRACE)


async def measure(system: System, options: argparse.Namespace, before: dict[str, int]) -> Round:
    """One round against one system, told on stderr."""
    result = await run_round(system, plan_for(system.ports, options.streams, options.deltas, options.rate), before)
    answers, delay = result.answers, result.delay_ms
    told = (
        f"delay p50/p99 {delay.p50}/{delay.p99} ms"
        if delay
        else "all streams were hardly ever open at once: try more --deltas"
    )
    wrong = f", wrong: {answers.wrong}" if answers.wrong else ""
    print(f"{system.name}: {answers.complete} of {answers.asked} complete, {told}{wrong}", file=sys.stderr)
    return result


async def warm_up(system: System, rate: float) -> dict[str, int]:
    """Ask a little, and return the memory afterwards. BenchError when already that goes wrong."""
    result = await run_round(system, plan_for(system.ports, _WARM_STREAMS, _WARM_DELTAS, rate), memory(system))
    if result.answers.complete != result.answers.asked:
        raise BenchError(f"{system.name} doesn't answer as it should: {result.answers}")
    return memory(system)


async def run(options: argparse.Namespace) -> Figures:
    """Start everything, measure in turns, end everything."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with Processes(Path(folder)) as processes:
            path = await start_path(processes, Path(folder), options.streams, _PROVIDERS[options.provider])
            floor = await start_floor(processes)
            path_before = await warm_up(path, options.rate)
            floor_before = await warm_up(floor, options.rate)
            ours, bare = [], []
            for _ in range(options.rounds):
                ours.append(await measure(path, options, path_before))
                bare.append(await measure(floor, options, floor_before))
    return document(vars(options), os.cpu_count() or 1, ours, bare)


async def bounded(options: argparse.Namespace) -> Figures:
    """`run`, ended by SIGTERM, and when it takes longer than it ever should."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    plan = plan_for([], options.streams, options.deltas, options.rate)
    limit = 2 * options.rounds * plan.limit + _RUN_GRACE
    try:
        async with asyncio.timeout(limit):
            return await run(options)
    except TimeoutError:
        raise BenchError(f"not done after {limit:.0f} s") from None


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; ends the process with one sentence when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=100, help="questions at once")
    parser.add_argument("--deltas", type=int, default=200, help="pieces of each answer")
    parser.add_argument("--rate", type=float, default=20.0, help="pieces a second of each answer")
    parser.add_argument("--provider", choices=_PROVIDERS, default="edgegpt", help="what makes the answers")
    parser.add_argument("--rounds", type=int, default=2, help="how often each side is measured")
    read = parser.parse_args(arguments)
    for name, (least, most) in _BOUNDS.items():
        if not least <= getattr(read, name) <= most:
            parser.error(f"--{name} must be from {least} to {most}")
    return read


def main() -> int:
    """The exit code: 0, 1 when it can't measure or an answer was not complete, 130 when it was interrupted."""
    chosen = read_options()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        report = asyncio.run(bounded(chosen))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted", file=sys.stderr)
        return 130
    print(json.dumps(report, indent=2, ensure_ascii=False))
    counts = [report[side]["answers"] for side in ("path", "floor")]
    return 0 if all(count["complete"] == count["asked"] for count in counts) else 1


if __name__ == "__main__":
    sys.exit(main())
