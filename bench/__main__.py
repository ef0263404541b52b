"""`python -m bench` measures our path beside others and prints one JSON document."""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench import cases, report, rivals, saturation
from bench.cases import Case
from bench.command import carry_out
from bench.document import complete, document
from bench.errors import BenchError
from bench.options import EDGEGPT, PLAIN, Options, read_options
from bench.processes import Processes
from bench.rest import Rest, at_rest
from bench.rounds import Round, memory, run_round
from bench.systems import System, by_transport, let_settle, start_emulator, start_path
from bench.transports import SSE

# What a run may take beyond its rounds, in seconds.
_GRACE = 600.0
# The warm-up's answers are short: all code has run and is in memory when the first round begins.
_WARM_STREAMS = 8
_WARM_WINDOW = 1.0


async def start(processes: Processes, folder: Path, options: Options) -> dict[str, System]:
    """All that is to be measured, by its side, ready to be asked."""
    # Two gateways are measured with twice the streams too, and saturation begins there.
    slots = max(*options.streams, 2 * options.streams[0], saturation.MOST_STREAMS if options.saturate else 0)
    # What is measured at rest, at all counts and beside LiteLLM's proxy is asked this way.
    transports = tuple(dict.fromkeys((SSE, *options.transports)))
    first, *others = options.gateways
    needs_emulator = options.litellm or EDGEGPT in options.sides
    emulator = await start_emulator(processes) if needs_emulator else None
    path = await start_path(processes, folder, "path", slots, first * len(transports))
    found = by_transport(path, transports)
    for count in others:
        found.append(await start_path(processes, folder, f"path x{count}", slots, count))
    if emulator and EDGEGPT in options.sides:
        found.append(await start_path(processes, folder, "edgegpt", slots, 1, emulator))
        found.append(rivals.alone(emulator))
    settling = asyncio.create_task(let_settle())
    found += [await rivals.start_floor(processes, transport) for transport in transports]
    if PLAIN in options.sides:
        found += [await rivals.start_plain(processes, folder, slots), rivals.alone(None)]
    if emulator and options.litellm:
        found.append(await rivals.start_litellm(processes, folder, emulator))
    await settling
    return {system.side: system for system in found}


async def warm_up(todo: list[Case]) -> dict[str, Mapping[str, int]]:
    """Ask each a little; then the memory of each system. BenchError when already that goes wrong."""

    async def ask(case: Case) -> None:
        warm = Case(case.system, _WARM_STREAMS, case.rate, _WARM_WINDOW)
        answers = (await run_round(warm.system, warm.plan, memory(warm.system))).answers
        if answers.complete != answers.asked:
            raise BenchError(f"{case.system.name} doesn't answer as it should: {answers}")

    # All at once: nothing is measured yet.
    await asyncio.gather(*map(ask, {case.system.side: case for case in todo}.values()))
    return {case.system.side: memory(case.system) for case in todo}


class Rounds:
    """Measures cases, all of them in each round. `before` is each system's memory before it was asked much."""

    def __init__(self, before: Mapping[str, Mapping[str, int]]) -> None:
        self._before = before
        self._most: dict[str, int] = {}

    async def of(self, todo: list[Case], rounds: int) -> dict[str, list[Round]]:
        """The rounds of each case, by its name; each is told of on stderr."""
        found: dict[str, list[Round]] = {case.name: [] for case in todo}
        for number in range(rounds):
            for case in todo:
                result = await self._of(case)
                found[case.name].append(result)
                print(f"{number + 1}/{rounds} {case.name}: {report.line(result)}", file=sys.stderr)
        return found

    async def _of(self, case: Case) -> Round:
        side = case.system.side
        result = await run_round(case.system, case.plan, self._before[side])
        self._most[side] = max(case.streams, self._most.get(side, 0))
        if case.streams < self._most[side]:
            # A process doesn't give back all the memory that it once had.
            return msgspec.structs.replace(result, kb_per_stream=None)
        return result


async def rest(folder: Path, systems: Mapping[str, System]) -> Rest:
    """What is measured at rest, with a standalone process that lives only for this."""
    async with Processes(folder) as processes:
        standalone = await rivals.start_standalone(processes, folder)
        return await at_rest(systems["path sse"], systems["floor sse"], standalone)


async def measure(folder: Path, systems: Mapping[str, System], options: Options) -> dict[str, Any]:
    """All that is wanted. TimeoutError when it takes longer than it ever should."""
    compared, grown, beside = (wanted(options, systems) for wanted in (cases.compared, cases.grown, cases.beside_most))
    async with asyncio.timeout(options.rounds * cases.limit([*compared, *grown, *beside]) + _GRACE):
        resting = await rest(folder, systems) if options.rest else None
        rounds = Rounds(await warm_up([*compared, *grown, *beside]))
        side_by_side = await rounds.of(compared, options.rounds)
        # Their memory is what counts, which varies little; they take half a minute each.
        by_streams = await rounds.of(grown, options.rounds) | await rounds.of(beside, 1)
        steps = {}
        for transport in options.transports if options.saturate else ():
            # At the first count it was measured already.
            path, streams = systems[f"path {transport}"], 2 * options.streams[0]
            steps[transport] = await saturation.saturate(path, streams, options.rate)
    return document(options, resting, side_by_side, by_streams, steps)


async def run(options: Options) -> dict[str, Any]:
    """Start everything, measure, end everything."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with Processes(Path(folder)) as processes:
            systems = await start(processes, Path(folder), options)
            try:
                return await measure(Path(folder), systems, options)
            except TimeoutError:
                raise BenchError("not done in time") from None


def main() -> int:
    """The exit code, see carry_out; it is good when every answer was complete."""
    options = read_options()

    def good(found: dict[str, Any]) -> bool:
        if options.output:
            report.write(options.output, found)
        return complete(found)

    return carry_out(run(options), good)


if __name__ == "__main__":
    sys.exit(main())
