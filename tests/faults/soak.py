"""Random load and random faults for a while: `python -m tests.faults.soak --seconds 60 --seed 1`.

Prints two lines, and exits with 1 unless nothing was lost, doubled, overlapped or hung, nor any other promise broken.
`beside` counts the allowed exception: turns that still ran at a frozen or cut-off worker beside the token's next one.
The second line is what a gateway and a worker that lived through it all took at rest, after a warm-up and at the end.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.faults.breakage import Breakage
from tests.faults.checker import BESIDE, Violation, counted, forbidden, in_logs, violations
from tests.faults.clients import Clients
from tests.faults.cluster import LEASE_TTL, Cluster, Node, running
from tests.faults.footprint import Footprint, footprint
from tests.faults.history import Exchange
from tests.faults.keeper import keep
from tests.faults.rest import await_rest
from tests.faults.users import Users

TOLD = ("lost", "doubled", "overlapped", "hung")
# The share of the time, and the most seconds, for load without faults that nothing is counted of.
WARM_UP, LONGEST_WARM_UP = 0.25, 30.0
# How long a cluster may take to come to rest, in seconds.
REST = 25.0
SETTLED = 2.0


@dataclass
class Soak:
    """Users who ask without a pause, and somebody who breaks things beside them."""

    cluster: Cluster
    clients: Clients
    users: Users
    breakage: Breakage

    async def run(self, seconds: float, count: int) -> tuple[list[Violation], str]:
        """Warm up, break things under load, come to rest; everything that is wrong by then, and the footprints."""
        warm_up = min(seconds * WARM_UP, LONGEST_WARM_UP)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.users.ask(warm_up, count))
            tasks.create_task(keep(self.cluster, warm_up))
        found = await self._rest()
        before = await self._footprints()
        load = seconds - warm_up
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.users.ask(load, count))
            tasks.create_task(self.breakage.run(load - LEASE_TTL))
            tasks.create_task(keep(self.cluster, load))
        found += self.breakage.crashes + await self._rest()
        found += violations(self.clients.exchanges, self.cluster.ledger())
        found += in_logs(await asyncio.to_thread(self.cluster.logs))
        after = await self._footprints()
        for name, taken in after.items():
            found += [Violation("grown", f"{name}: {what}") for what in taken.grown(before[name])]
        return found, "; ".join(f"{name}: {before[name]} -> {after[name]}" for name in after)

    async def _rest(self) -> list[Violation]:
        await self.clients.ended()
        try:
            await asyncio.to_thread(await_rest, self.cluster, REST)
        except AssertionError as error:
            return [Violation("unrest", str(error))]
        return []

    async def _footprints(self) -> dict[str, Footprint]:
        """Of those that are never ended; once the connections of whoever looked for rest are gone too."""
        await asyncio.sleep(SETTLED)
        nodes: list[Node] = [self.cluster.gateways[0], self.cluster.workers[0]]
        return {node.name: await asyncio.to_thread(footprint, self.cluster, node) for node in nodes}


def _end_of(exchange: Exchange) -> str:
    """How a question ended, as a word to count by."""
    if exchange.end is None:
        return "cut" if exchange.cut else "none"
    return f"refused-{exchange.code}" if exchange.refused else f"code-{exchange.code}"


async def soak(cluster: Cluster, seconds: float, seed: int, count: int) -> bool:
    """Run, and print the outcome; whether nothing was wrong."""
    chance = random.Random(seed)
    async with Clients(cluster.urls) as clients:
        run = Soak(cluster, clients, Users(clients, cluster.urls, chance), Breakage(cluster, chance))
        found, footprints = await run.run(seconds, count)
        jobs = len({one.question for one in clients.exchanges})
        ends = Counter(_end_of(one) for one in clients.exchanges)
    counts, wrong = counted(found), forbidden(found)
    line = {"seed": seed, "jobs": jobs, "faults": len(run.breakage.faults)}
    line |= {kind: counts[kind] for kind in TOLD}
    line |= {"others": len(wrong) - sum(counts[kind] for kind in TOLD), BESIDE: counts[BESIDE]}
    sys.stdout.write(" ".join(f"{name}={value}" for name, value in line.items()) + "\n")
    sys.stdout.write(f"  at rest: {footprints}\n")
    sys.stdout.write("  ends: " + " ".join(f"{name}={number}" for name, number in sorted(ends.items())) + "\n")
    for violation in wrong[:50]:
        sys.stdout.write(f"  {violation.kind}: {violation.text}\n")
    sys.stdout.flush()
    return not wrong


def main() -> int:
    """The exit code: 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=16)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    with running(folder, workers=4, chaos=True) as cluster:
        well = asyncio.run(soak(cluster, asked.seconds, asked.seed, asked.users))
    sys.stdout.write(f"logs: {folder}\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
