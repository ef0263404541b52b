"""`python -m bench` measures our path beside others and prints one JSON document."""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.clients.transports import SSE
from bench.command import run_command
from bench.errors import BenchError
from bench.measure import saturation
from bench.measure.cases import (
    MANY_STREAMS,
    OURS,
    OURS_BEFORE,
    Case,
    compared_cases,
    grown_cases,
    largest_cases,
    served_cases,
    time_limit,
)
from bench.measure.idle import IdleFigures, measure_idle
from bench.measure.rounds import Round, read_memory, run_round
from bench.options import EDGEGPT, PLAIN, Options, read_options
from bench.peers.environments import Environments
from bench.peers.peer import Site
from bench.peers.peers import PEERS
from bench.report import output
from bench.report.document import is_complete, make_document
from bench.systems import baselines
from bench.systems.path import (
    PathSettings,
    System,
    split_by_transport,
    start_edgegpt_path,
    start_emulator,
    start_path,
    start_served_path,
    wait_for_workers,
)
from bench.systems.processes import Processes
from bench.systems.upstream_process import start_upstream

# What a run may take beyond its rounds, in seconds.
_GRACE = 600.0
# The warm-up's answers are short: all code has run and is in memory when the first round begins.
_WARM_STREAMS = 8
_WARM_WINDOW = 1.0


async def start(processes: Processes, folder: Path, options: Options) -> dict[str, System]:
    """Start everything that is to be measured, and return it by its side."""
    # Two gateways are measured with twice the streams too, and saturation begins there.
    slots = max(*options.streams, 2 * options.streams[0], saturation.MAX_STREAMS if options.saturate else 0)
    # What is measured at rest and at all counts is asked over SSE.
    transports = tuple(dict.fromkeys((SSE, *options.transports)))
    first, *others = options.gateways
    emulator = await start_emulator(processes) if EDGEGPT in options.sides else None
    path = await start_path(processes, folder, "path", slots, first * len(transports))
    systems = split_by_transport(path, transports)
    if options.before:
        changes = PathSettings(tree=options.before)
        before = await start_path(processes, folder, "before", slots, first * len(transports), changes)
        systems += split_by_transport(before, transports)
    for count in others:
        systems.append(await start_path(processes, folder, f"path x{count}", slots, count))
    if emulator:
        systems.append(await start_edgegpt_path(processes, folder, "edgegpt", slots, emulator))
        systems.append(baselines.alone(emulator))
    if options.peers:
        systems += await start_served(processes, folder, options)
    waiting = asyncio.create_task(wait_for_workers())
    systems += [await baselines.start_floor(processes, transport) for transport in transports]
    if PLAIN in options.sides:
        systems += [await baselines.start_plain(processes, folder, slots), baselines.alone(None)]
    await waiting
    return {system.side: system for system in systems}


async def start_served(processes: Processes, folder: Path, options: Options) -> list[System]:
    """Start one model server, and before it the peers and our path, also that of another commit."""
    environments, upstream = Environments(), await start_upstream(processes)
    systems = await start_served_path(processes, folder, OURS, MANY_STREAMS, upstream)
    if options.before:
        systems += await start_served_path(processes, folder, OURS_BEFORE, MANY_STREAMS, upstream, options.before)
    for name in options.peers:
        own = folder / f"peer-{name}"
        own.mkdir()
        systems.append(await PEERS[name](Site(processes, own, environments, upstream)))
    return systems


async def warm_up(cases: list[Case]) -> dict[str, Mapping[str, int]]:
    """Ask each system a little and return its memory. BenchError when one doesn't answer correctly."""

    async def ask(case: Case) -> None:
        warm = Case(case.system, _WARM_STREAMS, case.rate, _WARM_WINDOW)
        answers = (await run_round(warm.system, warm.plan, read_memory(warm.system.roles))).answers
        if answers.complete != answers.asked:
            raise BenchError(f"{case.system.name} doesn't answer correctly: {answers}")

    # All at once: nothing is measured yet.
    await asyncio.gather(*map(ask, {case.system.side: case for case in cases}.values()))
    return {case.system.side: read_memory(case.system.roles) for case in cases}


class RoundRunner:
    """Measures cases, all of them in each round. `before` is each system's memory before it was asked much."""

    def __init__(self, before: Mapping[str, Mapping[str, int]]) -> None:
        self._before = before
        self._most: dict[str, int] = {}

    async def run(self, cases: list[Case], rounds: int) -> dict[str, list[Round]]:
        """Return the rounds of each case, by its name; print each on stderr."""
        results: dict[str, list[Round]] = {case.name: [] for case in cases}
        for number in range(rounds):
            for case in cases:
                result = await self._run(case)
                results[case.name].append(result)
                print(f"{number + 1}/{rounds} {case.name}: {result}", file=sys.stderr)
        return results

    async def _run(self, case: Case) -> Round:
        side = case.system.side
        result = await run_round(case.system, case.plan, self._before[side])
        self._most[side] = max(case.streams, self._most.get(side, 0))
        if case.streams < self._most[side]:
            # A process doesn't give back all the memory that it once had.
            return msgspec.structs.replace(result, kb_per_stream=None)
        return result


async def run_idle(folder: Path, systems: Mapping[str, System]) -> IdleFigures:
    """Measure what is measured at rest, with a standalone process that lives only for this."""
    async with Processes(folder) as processes:
        standalone = await baselines.start_standalone(processes, folder)
        return await measure_idle(systems["path sse"], systems["floor sse"], standalone)


async def measure(folder: Path, systems: Mapping[str, System], options: Options) -> dict[str, Any]:
    """Measure everything that the options ask for. TimeoutError when it takes longer than it ever should."""
    parts = (compared_cases, grown_cases, served_cases, largest_cases)
    compared, grown, served, largest = (cases(options, systems) for cases in parts)
    everything = [*compared, *grown, *served, *largest]
    async with asyncio.timeout(options.rounds * time_limit(everything) + _GRACE):
        idle = await run_idle(folder, systems) if options.rest else None
        runner = RoundRunner(await warm_up(everything))
        side_by_side = await runner.run(compared, options.rounds)
        before_server = await runner.run(served, options.rounds)
        # One round of the largest: they are there for their memory, which varies little, and take half a minute.
        by_streams = await runner.run(grown, options.rounds) | await runner.run(largest, 1)
        steps = {}
        for transport in options.transports if options.saturate else ():
            # At the first count it was measured already.
            path, streams = systems[f"path {transport}"], 2 * options.streams[0]
            steps[transport] = await saturation.saturate(path, streams, options.rate)
    versions = {system.name: system.version for system in systems.values() if system.version}
    return make_document(options, idle, side_by_side, by_streams, steps, before_server, versions)


async def run(options: Options) -> dict[str, Any]:
    """Start everything, measure, end everything."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with Processes(Path(folder)) as processes:
            systems = await start(processes, Path(folder), options)
            try:
                return await measure(Path(folder), systems, options)
            except TimeoutError:
                raise BenchError("the run took too long") from None


def main() -> int:
    """Return the exit code, see run_command; the run has succeeded when every answer was complete."""
    options = read_options()

    def succeeded(document: dict[str, Any]) -> bool:
        if options.output:
            output.write(options.output, document)
        return is_complete(document)

    return run_command(run(options), succeeded)


if __name__ == "__main__":
    sys.exit(main())
