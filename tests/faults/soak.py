"""Random load and random faults for a while: `python -m tests.faults.soak --seconds 60 --seed 1`.

Prints one line and exits with 1 unless nothing was lost, doubled, overlapped or hung, nor any other promise broken.
`beside` counts the allowed exception: turns that still ran at a frozen or cut-off worker beside the token's next one.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from redis.exceptions import RedisError
from websockets.exceptions import WebSocketException

from tests.faults.checker import BESIDE, Violation, counted, forbidden, in_logs, violations
from tests.faults.clients import Clients, unique
from tests.faults.cluster import LEASE_TTL, Cluster, Node, running
from tests.faults.history import Exchange, Kind

KINDS: list[Kind] = ["whole", "naive", "eventsource", "eventsource", "socket"]
QUESTIONS = ["!deltas=10 !rate=30", "!deltas=40 !rate=30", "!deltas=5", "hello", "!search news", "!replace"] * 3 + [
    "!close-mid",
    "!internal",
    "!reset-mid",
    "!bad-json",
    "!throttled !once",
    "!invalid-session !once",
]
TOLD = ("lost", "doubled", "overlapped", "hung")


@dataclass
class Soak:
    """Users who ask without a pause, and somebody who breaks things beside them. `chance` decides everything."""

    cluster: Cluster
    clients: Clients
    chance: random.Random
    faults: list[str] = field(default_factory=list)
    crashes: list[Violation] = field(default_factory=list)

    async def run(self, seconds: float, users: int) -> list[Violation]:
        """Load and faults for so long, then peace; everything that is wrong by then."""
        until = time.monotonic() + seconds
        asking = [asyncio.create_task(self._user(until)) for _ in range(users)]
        await self._break_things(until)
        await asyncio.to_thread(self._make_whole)
        await asyncio.gather(*asking)
        found = [*self.crashes, *violations(self.clients.exchanges, self.cluster.ledger()["turns"])]
        try:
            await asyncio.to_thread(self.cluster.await_rest, 20.0)
        except AssertionError as error:
            found.append(Violation("unrest", str(error)))
        return found + list(in_logs(self.cluster.logs()))

    async def _user(self, until: float) -> None:
        """One conversation after the other, of a few questions each."""
        while time.monotonic() < until:
            kind, count = self.chance.choice(KINDS), self.chance.randint(1, 4)
            if kind == "socket":
                await self._talk(count)
                continue
            token = None
            for _ in range(count):
                asked = await self.clients.ask(kind, self._question(), token)
                if asked.cut or asked.end is None or asked.code == 503:
                    await asyncio.sleep(0.2)
                    break
                token = asked.given_token

    async def _talk(self, count: int) -> None:
        """Some questions over one socket, sent ahead or one by one."""
        try:
            async with self.clients.socket() as socket:
                sent: list[Exchange] = []
                for _ in range(count):
                    sent.append(await socket.send(self._question()))
                    if self.chance.random() < 0.5:
                        await self.clients.ended(sent[-1])
                await self.clients.ended(*sent)
        except (WebSocketException, OSError):
            await asyncio.sleep(0.2)

    def _question(self) -> str:
        return unique(self.chance.choice(QUESTIONS))

    async def _break_things(self, until: float) -> None:
        breaks: list[Callable[[], Awaitable[None]]] = [
            self._kill_worker,
            self._freeze_worker,
            self._drain_worker,
            self._kill_gateway,
            self._drain_gateway,
            self._kill_connections,
            self._pause_redis,
            self._restart_redis,
            self._spoil_lines,
            self._lose_replies,
            self._slow_creates,
            self._spoil_upstream,
        ]
        while time.monotonic() < until - LEASE_TTL:
            fault = self.chance.choice(breaks)
            self.faults.append(fault.__name__.strip("_"))
            await fault()
            self._note_crashes()
            await asyncio.sleep(self.chance.uniform(0.3, 1.5))

    def _note_crashes(self) -> None:
        """A process that ended by itself is wrong; the others go on with a new one."""
        for node in self.cluster.nodes:
            if node.crashed:
                self.crashes.append(Violation("crashed", f"{node.name} after {self.faults[-1]}, see {node.log}"))
                node.start()

    def _one(self, nodes: list[Node]) -> Node:
        return self.chance.choice(nodes)

    async def _kill_worker(self) -> None:
        node = self._one(self.cluster.workers)
        node.kill()
        node.start()

    async def _freeze_worker(self) -> None:
        node = self._one(self.cluster.workers)
        node.freeze()
        await asyncio.sleep(self.chance.choice([LEASE_TTL / 2, LEASE_TTL + 2]))
        node.thaw()

    async def _drain_worker(self) -> None:
        await self._drain(self._one(self.cluster.workers))

    async def _kill_gateway(self) -> None:
        node = self._one(self.cluster.gateways)
        node.kill()
        node.start()

    async def _drain_gateway(self) -> None:
        await self._drain(self._one(self.cluster.gateways))

    async def _drain(self, node: Node) -> None:
        if node.running:
            node.terminate()
            await asyncio.to_thread(node.end)
        node.start()

    async def _kill_connections(self) -> None:
        self.cluster.kill_connections(self.chance.choice(["pubsub", "normal"]))

    async def _pause_redis(self) -> None:
        self.cluster.redis.freeze()
        await asyncio.sleep(self.chance.choice([0.5, LEASE_TTL + 1]))
        self.cluster.redis.thaw()

    async def _restart_redis(self) -> None:
        self.cluster.redis.kill()
        await asyncio.sleep(self.chance.choice([0.0, 1.0]))
        self.cluster.redis.start()
        while True:
            try:
                self.cluster.client.ping()
            except RedisError:
                await asyncio.sleep(0.05)
            else:
                return

    async def _spoil_lines(self) -> None:
        line = self.chance.choice(list(self.cluster.lines.values()))
        match self.chance.choice(["delay", "deaf", "reset"]):
            case "delay":
                line.delay(0.1)
            case "deaf":
                line.black_hole()
            case _:
                line.reset()
        await asyncio.sleep(self.chance.choice([0.5, LEASE_TTL + 1]))
        line.heal()

    async def _lose_replies(self) -> None:
        for line in self.cluster.lines.values():
            line.lose_reply(self.chance.choice([b"claim:", b"sent:", b'"delta"', b"finish:", b'"chat"']))
        await asyncio.sleep(0.5)
        for line in self.cluster.lines.values():
            line.heal()

    async def _slow_creates(self) -> None:
        await asyncio.to_thread(self.cluster.script, account="*", create={"outcome": "slow=2", "times": 5})

    async def _spoil_upstream(self) -> None:
        if self.cluster.upstream is not None:
            self.cluster.upstream.reset()

    def _make_whole(self) -> None:
        for node in self.cluster.nodes:
            node.thaw()
        for line in self.cluster.lines.values():
            line.heal()
        self.cluster.start()


def _end_of(exchange: Exchange) -> str:
    """How a question ended, as a word to count by."""
    if exchange.end is None:
        return "cut" if exchange.cut else "none"
    return f"refused-{exchange.code}" if exchange.refused else f"code-{exchange.code}"


async def soak(cluster: Cluster, seconds: float, seed: int, users: int) -> bool:
    """Run, and print the outcome; whether nothing was wrong."""
    async with Clients(cluster.urls) as clients:
        run = Soak(cluster, clients, random.Random(seed))
        found = await run.run(seconds, users)
        counts = counted(found)
        ends = Counter(_end_of(one) for one in clients.exchanges)
        wrong = forbidden(found)
        others = len(wrong) - sum(counts[kind] for kind in TOLD)
        line = {"seed": seed, "jobs": len(clients.exchanges), "faults": len(run.faults)}
        line |= {kind: counts[kind] for kind in TOLD} | {"others": others, BESIDE: counts[BESIDE]}
    sys.stdout.write(" ".join(f"{name}={value}" for name, value in line.items()) + "\n")
    sys.stdout.write("  ends: " + " ".join(f"{name}={count}" for name, count in sorted(ends.items())) + "\n")
    for violation in wrong[:50]:
        sys.stdout.write(f"  {violation.kind}: {violation.text}\n")
    sys.stdout.flush()
    return not wrong


def main() -> int:
    """The exit code: 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=12)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    with running(folder, workers=4, chaos=True) as cluster:
        well = asyncio.run(soak(cluster, asked.seconds, asked.seed, asked.users))
    sys.stdout.write(f"logs: {folder}\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
