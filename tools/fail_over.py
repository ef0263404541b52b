"""What a fail-over costs: `python -m tools.fail_over --redis cluster --streams 300`.

A primary is killed under that many streams, and then hands over while short questions are asked all the time, under
Sentinel once more at the moment of which docs/guides/fail-over.md speaks. It prints how long new answers were missed
and how many of the running ones came whole; it judges nothing: that is for a machine that does nothing else.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

from tests.support.conditions import until
from tests.support.faults.breakable_system import LIMITS
from tests.support.faults.clients import Clients, unique
from tests.support.faults.cluster_shape import NODE_TIMEOUT
from tests.support.faults.history import Exchange
from tests.support.faults.replicated_system import SHAPES, ReplicatedSystem, ShapeName, replicated
from tests.support.faults.sentinel_shape import DOWN_AFTER, SentinelShape

_LIMITS = LIMITS | {"ANSWER_TIMEOUT": "300", "WORKER_SLOTS": "300", "ACCOUNT_TURNS": "0"}
_PATIENCE = 120.0
# Deltas a second of each answer, and how many it has.
_RATE, _DELTAS = 4, 80
# Seconds between two short questions, and of asking them before and after a fail-over.
_EVERY, _AROUND = 0.05, 4.0


class FailOverMeasurement:
    """Measures one system, with its clients."""

    def __init__(self, system: ReplicatedSystem, clients: Clients) -> None:
        self._system = system
        self._clients = clients

    async def measure_kill(self, streams: int) -> str:
        """Kill the primary under so many streams; what became of them, and of new questions."""
        words = f"!deltas={_DELTAS} !rate={_RATE}"
        running = [self._clients.start("eventsource", unique(words)) for _ in range(streams)]
        await until(lambda: all(len(one.deltas) > 1 for one in running), "all stream", limit=_PATIENCE)
        shard = self._system.shard()
        old = await asyncio.to_thread(shard.agreed_primary)
        old.kill()
        killed = time.monotonic()
        found, answered = await asyncio.gather(self._since(killed, shard.successor, old), self._first_answer(killed))
        still = sum(one.end is None for one in running)
        await self._clients.ended(*running)
        whole = sum(one.answered and one.connections == 1 for one in running)
        twice = sum(len(self._system.turns(one.question)) > 1 for one in running[:20])
        return (
            f"killed under {streams} streams: next primary after {found:.1f} s, a new answer after {answered:.1f} s; "
            f"{whole} came whole on one connection, {still} were streaming still by then, {twice} asked twice"
        )

    @staticmethod
    async def _since(killed: float, wait: Callable[..., object], *args: object) -> float:
        await asyncio.to_thread(wait, *args)
        return time.monotonic() - killed

    async def _first_answer(self, since: float) -> float:
        # One that is refused takes a while, in which another one may be answered.
        async with self._asking() as asked:
            await until(lambda: any(one.answered for one in asked), "a new answer", limit=_PATIENCE)
            return time.monotonic() - since

    async def measure_hand_over(self, await_moment: Callable[[], None] = lambda: None) -> str:
        """Let the primary hand over while questions come all the time; the longest pause of what is asked upstream."""
        async with self._asking() as asked:
            await asyncio.sleep(_AROUND)
            usual = self._longest_pause(asked)
            await asyncio.to_thread(await_moment)
            await asyncio.to_thread(self._system.shard().fail_over)
            await asyncio.sleep(_AROUND)
        refused = sum(not one.answered for one in asked)
        pause = self._longest_pause(asked)
        return (
            f"handed over: longest pause of claims {pause:.2f} s (before: {usual:.2f} s); "
            f"{refused} of {len(asked)} questions not answered"
        )

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[list[Exchange]]:
        """Ask all the time; behind the body all have ended."""
        asked: list[Exchange] = []
        asking = asyncio.create_task(self._ask_all_the_time(asked))
        try:
            yield asked
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking
            await self._clients.ended(*asked)

    async def _ask_all_the_time(self, asked: list[Exchange]) -> None:
        while True:
            asked.append(self._clients.start("whole", unique("hello")))
            await asyncio.sleep(_EVERY)

    def _longest_pause(self, asked: list[Exchange]) -> float:
        questions = {one.question for one in asked}
        turns = [turn for turn in self._system.ledger()["turns"] if turn["question"] in questions]
        starts = sorted(float(turn["started"]) for turn in turns)
        return max((later - earlier for earlier, later in pairwise(starts)), default=0.0)


async def _measure(system: ReplicatedSystem, streams: int) -> None:
    async with Clients(system.urls, patience=_PATIENCE) as clients:
        measurement = FailOverMeasurement(system, clients)
        sys.stdout.write(f"{await measurement.measure_kill(streams)}\n")
        await asyncio.to_thread(system.restore)
        sys.stdout.write(f"{await measurement.measure_hand_over()}\n")
        if isinstance(system.shape, SentinelShape):
            await asyncio.to_thread(system.restore)
            at_moment = await measurement.measure_hand_over(system.shape.await_moment)
            sys.stdout.write(f"at a good moment: {at_moment}\n")


def main() -> int:
    """Measure a fail-over of the shapes that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tools.fail_over", description=__doc__)
    parser.add_argument("--redis", choices=SHAPES, default=SHAPES[0])
    parser.add_argument("--streams", type=int, default=300)
    options = parser.parse_args()
    shape_name: ShapeName = options.redis
    limit = f"down-after {DOWN_AFTER} s" if shape_name == "sentinel" else f"node-timeout {NODE_TIMEOUT} s"
    sys.stdout.write(f"{shape_name}, {limit}\n")
    with replicated(Path(tempfile.mkdtemp(prefix="fail-over-")), shape_name, workers=2, limits=_LIMITS) as system:
        asyncio.run(_measure(system, options.streams))
    return 0


if __name__ == "__main__":
    sys.exit(main())
