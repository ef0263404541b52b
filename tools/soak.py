"""Random load and random faults for a while: `python -m tools.soak --seconds 60 --seed 1`.

Prints two lines, and exits with 1 unless nothing was lost, doubled, overlapped or hung, nor any other promise broken.
`beside` counts the allowed exception: turns that still ran at a frozen or cut-off worker beside the token's next one.
With violations, `history.json` has what clients saw and what the upstream was asked.
The second line is what a gateway and a worker that lived through it all took at rest, after a warm-up and at the end.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.faults.account_resetter import ready_accounts
from tests.support.faults.breakable_system import LEASE_TTL, BreakableSystem
from tests.support.faults.checker import BESIDE, Violation, counted, forbidden, in_logs, violations
from tests.support.faults.clients import Clients
from tests.support.faults.cluster import running
from tests.support.faults.fault_injector import FaultInjector
from tests.support.faults.footprint import Footprint, footprint
from tests.support.faults.history import Exchange
from tests.support.faults.load_clients import LoadClients
from tests.support.faults.one_server_injector import OneServerInjector
from tests.support.faults.quiescence import await_quiescence
from tests.support.faults.replicated_injector import ReplicatedInjector
from tests.support.faults.replicated_system import SHAPES, ShapeName, replicated

REPORTED = ("lost", "doubled", "overlapped", "hung")
# The share of the time, and the most seconds, for load without faults that nothing is counted of.
WARM_UP, LONGEST_WARM_UP = 0.25, 30.0
# How long a system may take to come to rest, in seconds.
REST = 25.0
SETTLED = 2.0


class Soak:
    """Random load and random faults on a system. `chance` decides everything."""

    def __init__(self, injector: FaultInjector, system: BreakableSystem, chance: random.Random, count: int) -> None:
        self._system = system
        self._chance = chance
        self._count = count
        self.exchanges: list[Exchange] = []
        self.injector = injector
        self.violations: list[Violation] = []
        self.ledger: dict[str, list[dict[str, Any]]] = {}
        self.footprints = ""

    async def run(self, seconds: float) -> None:
        """Warm up, break things under load, come to rest; `violations` is everything that is wrong by then."""
        warm_up = min(seconds * WARM_UP, LONGEST_WARM_UP)
        load = seconds - warm_up
        await self._ask(warm_up)
        before = await self._rest()
        await asyncio.gather(self._ask(load), self.injector.run(load - LEASE_TTL))
        after = await self._rest()
        self.ledger = self._system.ledger()
        self.violations += self.injector.crashes + violations(self.exchanges, self.ledger)
        self.violations += in_logs(await asyncio.to_thread(self._system.logs))
        for name, after_load in after.items():
            self.violations += [Violation("grown", f"{name}: {what}") for what in after_load.grown(before[name])]
        self.footprints = "; ".join(f"{name}: {before[name]} -> {after[name]}" for name in after)

    async def _ask(self, seconds: float) -> None:
        async with Clients(self._system.urls) as clients:
            users = LoadClients(clients, self._system.urls, self._chance)
            async with ready_accounts(self._system):
                await users.ask(seconds, self._count)
            await clients.ended()
        self.exchanges += clients.exchanges

    async def _rest(self) -> dict[str, Footprint]:
        """Measure the processes that are never ended, at rest, without the connections of the observer."""
        try:
            await asyncio.to_thread(await_quiescence, self._system, REST)
        except AssertionError as error:
            self.violations.append(Violation("unrest", str(error)))
        await asyncio.sleep(SETTLED)
        nodes = [self._system.gateways[0], self._system.workers[0]]
        return {node.name: await asyncio.to_thread(footprint, self._system, node) for node in nodes}


def _end_of(exchange: Exchange) -> str:
    """How a question ended, as a word to count by."""
    if exchange.end is None:
        return "cut" if exchange.cut else "none"
    return f"refused-{exchange.code}" if exchange.refused else f"code-{exchange.code}"


def report(seed: int, run: Soak) -> bool:
    """Print the outcome; whether nothing was wrong."""
    counts, wrong = counted(run.violations), forbidden(run.violations)
    line = {"seed": seed, "jobs": len({one.question for one in run.exchanges}), "faults": len(run.injector.faults)}
    line |= {kind: counts[kind] for kind in REPORTED}
    line |= {"others": len(wrong) - sum(counts[kind] for kind in REPORTED), BESIDE: counts[BESIDE]}
    outcomes = Counter(_end_of(one) for one in run.exchanges)
    sys.stdout.write(" ".join(f"{name}={value}" for name, value in line.items()) + "\n")
    sys.stdout.write(f"  at rest: {run.footprints}\n")
    sys.stdout.write("  ends: " + " ".join(f"{name}={number}" for name, number in sorted(outcomes.items())) + "\n")
    for violation in wrong[:50]:
        sys.stdout.write(f"  {violation.kind}: {violation.text}\n")
    return not wrong


def _started(
    stack: ExitStack, folder: Path, redis: str, servers: int, chance: random.Random
) -> tuple[BreakableSystem, FaultInjector]:
    """Start a system, and somebody who breaks it."""
    if redis == "one":
        cluster = stack.enter_context(running(folder, workers=4, proxied=True, servers=servers))
        return cluster, OneServerInjector(cluster, chance)
    shape_name: ShapeName = "sentinel" if redis == "sentinel" else "cluster"
    system = stack.enter_context(replicated(folder, shape_name, workers=4, upstreams=servers))
    return system, ReplicatedInjector(system, chance)


def main() -> int:
    """Run a soak and return the exit code: 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--servers", type=int, default=0, help="of the four accounts, those that speak the OpenAI API")
    parser.add_argument("--redis", choices=["one", *SHAPES], default="one", help="what Redis consists of")
    options = parser.parse_args()
    folder, chance = Path(tempfile.mkdtemp(prefix="soak-")), random.Random(options.seed)
    with ExitStack() as stack:
        system, injector = _started(stack, folder, options.redis, options.servers, chance)
        run = Soak(injector, system, chance, options.users)
        asyncio.run(run.run(options.seconds))
    passed = report(options.seed, run)
    if not passed:
        (folder / "history.json").write_text(
            json.dumps({"exchanges": run.exchanges, "ledger": run.ledger}, default=vars)
        )
    sys.stdout.write(f"logs: {folder}\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
