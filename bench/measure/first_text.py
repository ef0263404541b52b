"""The way of a question to its first text, step by step, as Redis sees it: MONITOR says when each script arrived."""

import asyncio
import hashlib
import itertools
import statistics
from collections.abc import Iterable, Mapping

import msgspec
from redis.asyncio import Redis

from bench.clients.client import run
from bench.clients.load import LoadPlan
from bench.errors import BenchError
from bench.systems.path import System
from wire import scripts

# The scripts of a question in their order, each with what happens from its arrival to that of the next.
STEPS = {
    "enqueue": "accepted, a worker's bell, its call for turns",
    "take": "the turn is handed out, an account is chosen",
    "reserve": "the account's slot is counted, a connection is had",
    "mark_sent": "marked as sent, asked, the upstream's first text",
    "append": "",
}
_QUESTIONS = 60
_WARM_QUESTIONS = 5
_RATE = 20.0
_LIMIT = 10.0


class FirstText(msgspec.Struct, frozen=True):
    """Medians in µs: of each step, and of the rest, before the first script and from the last one to the client."""

    steps_us: dict[str, float]
    rest_us: float


async def measure_first_text(system: System, times: int = _QUESTIONS) -> FirstText:
    """Ask one question after the other of a system at rest. BenchError when one isn't answered.

    TimeoutError when a script of it isn't seen.
    """
    await asyncio.gather(*[_ask(system) for _ in range(_WARM_QUESTIONS)])
    questions = []
    async with Redis(host="127.0.0.1", port=system.redis, protocol=2) as redis, redis.monitor() as monitor:
        for _ in range(times):
            arrivals: dict[str, float] = {}
            asking = asyncio.create_task(_ask(system))
            async with asyncio.timeout(_LIMIT):
                while len(arrivals) < len(STEPS):
                    seen = await monitor.next_command()
                    if (name := script_of(seen["command"])) == "enqueue":
                        # What came before is of the question before.
                        arrivals.clear()
                    if name is not None:
                        arrivals.setdefault(name, seen["time"])
            questions.append((arrivals, await asking))
    return summarize(questions)


def summarize(questions: Iterable[tuple[Mapping[str, float], float]]) -> FirstText:
    """Summarize questions, each with the time at which its scripts arrived and how long its first text took, in s."""
    known = list(questions)
    names = list(STEPS)
    steps = {
        name: statistics.median(arrivals[following] - arrivals[name] for arrivals, _ in known) * 1e6
        for name, following in itertools.pairwise(names)
    }
    rest = statistics.median(took - (arrivals[names[-1]] - arrivals[names[0]]) for arrivals, took in known) * 1e6
    return FirstText({name: round(step) for name, step in steps.items()}, round(rest))


def script_of(command: str) -> str | None:
    """Return the name of the script that a command of MONITOR calls by its hash."""
    name, _, rest = command.partition(" ")
    return _NAMES.get(rest.partition(" ")[0]) if name.upper() == "EVALSHA" else None


async def _ask(system: System) -> float:
    """Ask one question and return how many s its first text took."""
    # Of two pieces: a single one would come with the end, and be written with it.
    outcome = await run(LoadPlan(list(system.ports[:1]), 1, 2, _RATE, 0.0, _LIMIT), _ignore)
    if outcome.first_delta_ms is None or not outcome.complete:
        raise BenchError(f"{system.name} doesn't answer a single question: {outcome}")
    return outcome.first_delta_ms.p50 / 1e3


def _ignore(_: str) -> None:
    """Ignore the window: no process is measured here."""


_NAMES = {hashlib.sha1(scripts.source(name, in_memory=False).encode()).hexdigest(): name for name in STEPS}
