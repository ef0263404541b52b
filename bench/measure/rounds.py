"""One round: the load client asks one system, and its processes are read at both edges of the window."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from bench.clients.load import EBBING, FULL, LoadOutcome, LoadPlan
from bench.clients.spread import Spread
from bench.errors import BenchError
from bench.measure import proc, redis_stats
from bench.measure.load_client import load_client
from bench.measure.redis_stats import CommandStats
from bench.systems.path import System

# How long the client may take beyond its plan's limit, in seconds.
_GRACE = 10.0
# A shorter window means nothing: the kernel counts CPU time in steps of 10 ms.
_MIN_WINDOW = 0.5


class AnswerCounts(msgspec.Struct, frozen=True):
    """asked = complete + incorrect + unfinished; see LoadOutcome."""

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

    answers: AnswerCounts
    first_delta_ms: Spread | None
    delay_ms: Spread | None = None
    window_s: float | None = None
    deltas_per_s: float | None = None
    deltas_per_event: float | None = None
    cpu_us_per_delta: dict[str, float] | None = None
    kb_per_stream: dict[str, float] | None = None
    cores_busy: float | None = None
    cores_elsewhere: float | None = None
    redis_commands: dict[str, CommandStats] | None = None
    redis_kb_per_answer: float | None = None
    cpu_us_per_delta_whole: dict[str, float] | None = None

    def __str__(self) -> str:
        answers, delay = self.answers, self.delay_ms
        text = f"{answers.complete} of {answers.asked} complete"
        if answers.wrong:
            text += f", wrong: {answers.wrong}"
        if self.cpu_us_per_delta is None and self.cpu_us_per_delta_whole:
            whole = ", ".join(f"{role} {us:g}" for role, us in self.cpu_us_per_delta_whole.items())
            return f"{text}; µs a delta, with beginnings and ends: {whole}; its streams were never open at once"
        if self.cpu_us_per_delta is None:
            return f"{text}; its streams were never open at once: try more --seconds"
        cpu = ", ".join(f"{role} {us:g}" for role, us in self.cpu_us_per_delta.items())
        delays = f"{delay.p50:g}/{delay.p99:g}" if delay else "–"
        return (
            f"{text}; µs a delta: {cpu}; delay p50/p99 {delays} ms; {self.deltas_per_s:g} deltas/s, "
            f"{self.deltas_per_event:g} an event; cores elsewhere {self.cores_elsewhere:g}"
        )


@dataclass(frozen=True)
class CpuUsage:
    """CPU seconds used since the start: by each role, and by the whole machine."""

    roles: dict[str, float]
    machine: float

    def since(self, earlier: "CpuUsage") -> "CpuUsage":
        """Return what was used in between."""
        roles = {role: used - earlier.roles[role] for role, used in self.roles.items()}
        return CpuUsage(roles, self.machine - earlier.machine)


@dataclass
class Readings:
    """What was read of the processes before, during and after the round."""

    before: CpuUsage
    over: CpuUsage | None = None
    full: CpuUsage | None = None
    ebbing: CpuUsage | None = None
    memory: dict[str, int] | None = None


def read_memory(roles: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """Return PSS by role, in kB."""
    return {role: sum(map(proc.pss_kb, pids)) for role, pids in roles.items()}


def read_cpu(roles: Mapping[str, Sequence[int]]) -> CpuUsage:
    """Return the CPU time used so far. BenchError when a process is gone."""
    return CpuUsage({role: sum(map(proc.cpu_seconds, pids)) for role, pids in roles.items()}, proc.machine_seconds())


async def run_round(system: System, plan: LoadPlan, before: Mapping[str, int]) -> Round:
    """Ask and measure. `before`: the memory without streams. BenchError when a process is gone."""
    if not system.redis:
        return await _run(system, plan, before)
    await redis_stats.reset_stats(system.redis)
    held = await redis_stats.used_memory(system.redis)
    result = await _run(system, plan, before)
    grown = round((await redis_stats.used_memory(system.redis) - held) / plan.streams / 1000, 2)
    memory = result.kb_per_stream
    return msgspec.structs.replace(
        result,
        redis_commands=await redis_stats.command_stats(system.redis, plan.streams * plan.deltas),
        redis_kb_per_answer=grown,
        # Its process still has what earlier rounds left in it.
        kb_per_stream=memory and {**memory, "redis": grown},
    )


async def _run(system: System, plan: LoadPlan, before: Mapping[str, int]) -> Round:
    async with load_client(system.client, plan.limit + _GRACE) as client:
        readings, outcome = await _watch(client, system, plan)
    return figures(outcome, readings, before)


async def _watch(client: asyncio.subprocess.Process, system: System, plan: LoadPlan) -> tuple[Readings, LoadOutcome]:
    assert client.stdin is not None
    assert client.stdout is not None
    readings = Readings(read_cpu(system.roles))
    client.stdin.write(msgspec.json.encode(plan))
    client.stdin.close()
    watched = {**system.roles, "client": [client.pid]}
    while line := (await client.stdout.readline()).decode().strip():
        if line == FULL:
            readings.full = read_cpu(watched)
        elif line == EBBING:
            readings.ebbing = read_cpu(watched)
            readings.memory = read_memory(system.roles)
        else:
            readings.over = read_cpu(system.roles)
            return readings, msgspec.json.decode(line, type=LoadOutcome)
    raise BenchError("the load client ended without an outcome")


def figures(outcome: LoadOutcome, readings: Readings, before: Mapping[str, int]) -> Round:
    """Return a round's figures. `before`: the memory of each role without streams, in kB."""
    answers = AnswerCounts(outcome.asked, outcome.complete, outcome.incorrect, outcome.unfinished, outcome.wrong)
    result = Round(answers, outcome.first_delta_ms, cpu_us_per_delta_whole=_whole(outcome, readings))
    window, full, ebbing = outcome.window, readings.full, readings.ebbing
    if window is None or full is None or ebbing is None or readings.memory is None:
        return result
    if window.seconds < _MIN_WINDOW or not window.deltas:
        return result
    used = ebbing.since(full)
    busy = sum(used.roles.values())
    return msgspec.structs.replace(
        result,
        delay_ms=window.delay_ms,
        window_s=round(window.seconds, 2),
        deltas_per_s=round(window.deltas / window.seconds, 1),
        deltas_per_event=round(window.deltas / window.events, 3),
        cpu_us_per_delta=_per_delta(used, window.deltas),
        kb_per_stream={role: round((now - before[role]) / window.streams, 1) for role, now in readings.memory.items()},
        cores_busy=round(busy / window.seconds, 2),
        cores_elsewhere=round(max(0.0, used.machine - busy) / window.seconds, 2),
    )


def _whole(outcome: LoadOutcome, readings: Readings) -> dict[str, float] | None:
    if readings.over is None or not outcome.deltas:
        return None
    return _per_delta(readings.over.since(readings.before), outcome.deltas)


def _per_delta(used: CpuUsage, deltas: int) -> dict[str, float]:
    """Return the µs of each role."""
    return {role: round(1e6 * seconds / deltas, 1) for role, seconds in used.roles.items()}
