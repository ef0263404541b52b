"""One round: the load client asks one system, and its processes are read at both edges of the window."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bench import proc, store
from bench.asking import load_client
from bench.errors import BenchError
from bench.load import EBBING, FULL, Outcome, Plan
from bench.spread import Spread
from bench.store import Command
from bench.systems import System

# How long the client may take beyond its plan's limit, in seconds.
_GRACE = 10.0
# A shorter window says nothing: the kernel counts CPU time in steps of 10 ms.
_LEAST_WINDOW = 0.5


class Answers(msgspec.Struct, frozen=True):
    """asked = complete + incorrect + unfinished; see client.Outcome."""

    asked: int
    complete: int
    incorrect: int
    unfinished: int
    wrong: dict[str, int]


class Round(msgspec.Struct, frozen=True):
    """The figures of one round. Those of the window are None when all streams were never open at once for long enough.

    cores_busy: CPUs that this system and the client kept busy; cores_elsewhere: that the rest of the machine did.
    redis_commands, redis_kb_per_answer: of the whole round, where there is a Redis of ours.
    cpu_us_per_delta_whole: of the system from before the first request until the last answer ended, over all deltas.
    """

    answers: Answers
    first_delta_ms: Spread | None
    delay_ms: Spread | None = None
    window_s: float | None = None
    deltas_per_s: float | None = None
    deltas_per_event: float | None = None
    cpu_us_per_delta: dict[str, float] | None = None
    kb_per_stream: dict[str, float] | None = None
    cores_busy: float | None = None
    cores_elsewhere: float | None = None
    redis_commands: dict[str, Command] | None = None
    redis_kb_per_answer: float | None = None
    cpu_us_per_delta_whole: dict[str, float] | None = None


@dataclass(frozen=True)
class Usage:
    """CPU seconds used since the start: by each role, and by the whole machine."""

    roles: dict[str, float]
    machine: float

    def since(self, earlier: "Usage") -> "Usage":
        """What was used in between."""
        roles = {role: used - earlier.roles[role] for role, used in self.roles.items()}
        return Usage(roles, self.machine - earlier.machine)


@dataclass
class Readings:
    """What was read of the processes before, while and after the round ran."""

    asking: Usage
    over: Usage | None = None
    full: Usage | None = None
    ebbing: Usage | None = None
    memory: dict[str, int] | None = None


def memory(system: System) -> dict[str, int]:
    """PSS by role, in kB."""
    return {role: sum(map(proc.pss_kb, pids)) for role, pids in system.roles.items()}


async def run_round(system: System, plan: Plan, before: Mapping[str, int]) -> Round:
    """Ask and measure. `before`: the memory without streams. BenchError when a process is gone."""
    if not system.redis:
        return await _run(system, plan, before)
    await store.reset(system.redis)
    held = await store.used_memory(system.redis)
    found = await _run(system, plan, before)
    return msgspec.structs.replace(
        found,
        redis_commands=await store.commands(system.redis, plan.streams * plan.deltas),
        redis_kb_per_answer=round((await store.used_memory(system.redis) - held) / plan.streams / 1000, 2),
    )


async def _run(system: System, plan: Plan, before: Mapping[str, int]) -> Round:
    async with load_client(system.client, plan.limit + _GRACE) as client:
        readings, outcome = await _watch(client, system, plan)
    return figures(outcome, readings, before)


async def _watch(client: asyncio.subprocess.Process, system: System, plan: Plan) -> tuple[Readings, Outcome]:
    assert client.stdin is not None
    assert client.stdout is not None
    readings = Readings(_usage(system.roles))
    client.stdin.write(msgspec.json.encode(plan))
    client.stdin.close()
    watched = {**system.roles, "client": [client.pid]}
    while line := (await client.stdout.readline()).decode().strip():
        if line == FULL:
            readings.full = _usage(watched)
        elif line == EBBING:
            readings.ebbing = _usage(watched)
            readings.memory = memory(system)
        else:
            readings.over = _usage(system.roles)
            return readings, msgspec.json.decode(line, type=Outcome)
    raise BenchError("the load client ended without a word")


def _usage(roles: Mapping[str, Sequence[int]]) -> Usage:
    return Usage({role: sum(map(proc.cpu_seconds, pids)) for role, pids in roles.items()}, proc.machine_seconds())


def figures(outcome: Outcome, readings: Readings, before: Mapping[str, int]) -> Round:
    """A round's figures. `before`: the memory of each role without streams, in kB."""
    answers = Answers(outcome.asked, outcome.complete, outcome.incorrect, outcome.unfinished, outcome.wrong)
    found = Round(answers, outcome.first_delta_ms, cpu_us_per_delta_whole=_whole(outcome, readings))
    window, full, ebbing = outcome.window, readings.full, readings.ebbing
    if window is None or full is None or ebbing is None or readings.memory is None:
        return found
    if window.seconds < _LEAST_WINDOW or not window.deltas:
        return found
    used = ebbing.since(full)
    busy = sum(used.roles.values())
    return msgspec.structs.replace(
        found,
        delay_ms=window.delay_ms,
        window_s=round(window.seconds, 2),
        deltas_per_s=round(window.deltas / window.seconds, 1),
        deltas_per_event=round(window.deltas / window.events, 3),
        cpu_us_per_delta=_per_delta(used, window.deltas),
        kb_per_stream={role: round((now - before[role]) / window.streams, 1) for role, now in readings.memory.items()},
        cores_busy=round(busy / window.seconds, 2),
        cores_elsewhere=round(max(0.0, used.machine - busy) / window.seconds, 2),
    )


def _whole(outcome: Outcome, readings: Readings) -> dict[str, float] | None:
    if readings.over is None or not outcome.deltas:
        return None
    return _per_delta(readings.over.since(readings.asking), outcome.deltas)


def _per_delta(used: Usage, deltas: int) -> dict[str, float]:
    """µs of each role."""
    return {role: round(1e6 * seconds / deltas, 1) for role, seconds in used.roles.items()}
