"""One client does its worst, six others ask once a second: `python -m tools.abuse --minutes 10`.

Prints what became of the six, alone and beside it, what is left over afterwards, and what the processes take before
and after. Exits with 1 unless none of the six was refused, their p99 to the first text is at most twice what it is
alone, nothing is left over, and no process takes a tenth more memory than before. `--counts` judges only refusals and
what is left over: a short run's waits and memory depend on the machine.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.abuse.patrons import Waits, ask_steadily
from tests.support.abuse.remains import bytes_for_the_day, remains
from tests.support.faults.breakable_system import LIMITS
from tests.support.faults.cluster import Cluster, running
from tests.support.faults.quiescence import leftovers

# So short that all is forgotten soon after a run; SESSION_TTL is longer than a question may wait and its answer take.
SHORT = {"QUEUE_TIMEOUT": "10", "FIRST_TEXT_TIMEOUT": "5", "ANSWER_TIMEOUT": "15"}
SHORT |= {"ANSWER_TTL": "5", "SESSION_TTL": "30", "IDEMPOTENCY_TTL": "30", "RESPONSE_TTL": "30"}
SHORT |= {"TRUSTED_PROXIES": "127.0.0.1"}
# Longer than anything that is left to its time to live.
REST = 75.0
# Of the time for what both are compared with, and the least and the most seconds of it.
ALONE, LEAST, MOST = 0.2, 20.0, 120.0
# The least seconds for each kind once, so that code is loaded, pools are filled and memory has had its peaks.
WARM_UP = 27.0
RATIO, GROWN = 2.0, 1.1
MEGABYTE = 2**20


@dataclass(frozen=True)
class Memory:
    """Bytes that gateway, worker and Redis take at rest; Redis's without those of the accounts' day and the charts."""

    gateway: int
    worker: int
    redis: int

    def __str__(self) -> str:
        return ", ".join(f"{name} {size / MEGABYTE:.1f} MB" for name, size in vars(self).items())

    def grown(self, before: "Memory") -> list[str]:
        """Return who takes a tenth more than before."""
        return [name for name, size in vars(self).items() if size > GROWN * getattr(before, name)]


class Abuse:
    """A run on a cluster. `wrong` has a sentence for each requirement that isn't met."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster = cluster
        self._seed = seed
        self.wrong: list[str] = []
        self.lines: list[str] = []

    async def run(self, seconds: float, *, whole: bool) -> None:
        """Warm up, ask alone, ask beside the attacker, and compare what is left with what was before."""
        url = self._cluster.urls[0]
        warm_up = max(WARM_UP, min(ALONE * seconds, MOST))
        async with self._attacker(warm_up):
            await ask_steadily(url, warm_up)
        before = await asyncio.to_thread(self._rest, "after the warm-up")
        alone = await ask_steadily(url, min(max(LEAST, ALONE * seconds), MOST))
        async with self._attacker(seconds):
            beside = await ask_steadily(url, seconds)
        after = await asyncio.to_thread(self._rest, "at the end")
        self.lines.append(f"at rest: {before} -> {after}")
        if whole:
            self.wrong += [f"{name} takes a tenth more memory than before" for name in after.grown(before)]
        self._judge(alone, beside, whole=whole)

    def _judge(self, alone: Waits, beside: Waits, *, whole: bool) -> None:
        for name, waits in (("alone", alone), ("beside", beside)):
            self.lines.append(f"{name}: {_describe(waits)}")
            self.wrong += [f"refused {name}: {end}" for end in waits.refused[:20]]
        if not alone.seconds or not beside.seconds:
            self.wrong.append("nothing was answered")
            return
        ratio = beside.quantile(0.99) / alone.quantile(0.99)
        self.lines.append(f"p99 beside over alone: {ratio:.2f}")
        if whole and ratio > RATIO:
            self.wrong.append(f"p99 beside the attacker is more than {RATIO:g} times that alone")

    @contextlib.asynccontextmanager
    async def _attacker(self, seconds: float) -> AsyncIterator[None]:
        """Let it run beside the body, and wait until both are over."""
        arguments = [self._cluster.urls[0], f"{seconds:g}", str(self._seed)]
        attacker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.support.abuse.attacker", *arguments
        )
        try:
            yield
            if await attacker.wait():
                self.wrong.append("the attacker has crashed")
        finally:
            if attacker.returncode is None:
                attacker.kill()
                await attacker.wait()

    def _rest(self, when: str) -> Memory:
        """Wait until nothing is left over, and measure."""
        began = time.monotonic()
        while (left := self._left()) and time.monotonic() - began < REST:
            time.sleep(0.5)
        self.lines.append(f"{when}: at rest after {time.monotonic() - began:.0f} s")
        self.wrong += [f"{when}: {what}" for what in left]
        gateway, worker = self._cluster.gateways[0], self._cluster.workers[0]
        used = int(self._cluster.client.info("memory")["used_memory"])
        return Memory(gateway.memory, worker.memory, used - bytes_for_the_day(self._cluster))

    def _left(self) -> list[str]:
        found = [f"{count} keys of {kind!r} are left" for kind, count in remains(self._cluster).items()]
        return found + leftovers(self._cluster)


def _describe(waits: Waits) -> str:
    asked = f"{len(waits.seconds) + len(waits.refused)} questions, {len(waits.refused)} refused"
    if not waits.seconds:
        return asked
    p50, p99 = (f"{1000 * waits.quantile(share):.0f}" for share in (0.5, 0.99))
    return f"{asked}, first text after {p50} ms (p50), {p99} ms (p99)"


def main() -> int:
    """Run it and return the exit code: 1 if anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.abuse", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--counts", action="store_true", help="judge neither waits nor memory")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="abuse-"))
    with running(folder, gateways=1, workers=1, limits=LIMITS | SHORT, servers=4) as cluster:
        run = Abuse(cluster, options.seed)
        asyncio.run(run.run(60 * options.minutes, whole=not options.counts))
    sys.stdout.writelines(f"{line}\n" for line in [*run.lines, *(f"  wrong: {what}" for what in run.wrong)])
    sys.stdout.write(f"logs: {folder}\n")
    return 1 if run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
