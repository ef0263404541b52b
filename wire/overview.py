"""Overview of the whole system: processes, the queue, running jobs, and counts."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec

from wire import keys
from wire.answers import ENDED_STATES
from wire.redis.replies import hash_fields
from wire.redis.store import Store
from wire.reporter import ProcessLoad

_UNKNOWN = ProcessLoad(version="")


@dataclass(frozen=True)
class Process:
    """A gateway or a worker. `last_seen` is its last report (Unix ms); `state` is `up`, `draining` or `dead`."""

    kind: str
    name: str
    state: str
    last_seen: int
    load: ProcessLoad


@dataclass(frozen=True)
class Queue:
    """The queue: its length, since when the oldest job waits (Unix ms), in how many s one more would have its turn.

    That one more is by a client that has none there. `first_answers` are those of the first jobs. `now` is Redis's time
    in ms. `clients` wait for a turn; of the 100 with the next turns `longest_client` has waited longest, since
    `longest_since` (ms, 0 for none). `free` jobs could run at once.
    """

    length: int
    oldest_since: int
    wait: int
    now: int
    first_answers: tuple[str, ...]
    clients: int = 0
    longest_client: str = ""
    longest_since: int = 0
    free: int = 0


@dataclass(frozen=True)
class Job:
    """A job that waits or runs; `accepted` in Unix ms."""

    answer: str
    state: str
    accepted: int
    seq: int


class Overview:
    """Reader of the overview; all calls may raise StoreUnavailableError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list_risks(self) -> list[str]:
        """Return what a fail-over may lose, or ask twice, as Redis's servers are set up: a sentence each."""
        return self._store.risks()

    def list_failures(self) -> list[str]:
        """Return why Redis can't be used now, as far as this process knows: a sentence each."""
        return self._store.failures()

    async def read_processes(self) -> list[Process]:
        """Return all gateways and workers that have reported lately, and workers that only beat."""
        replies = await self._store.execute_all([("HGETALL", keys.processes_key()), ("HGETALL", keys.facts_key())])
        states, facts = map(hash_fields, replies)
        processes = {entry.decode(): _process(entry, state, facts.get(entry, b"")) for entry, state in states.items()}
        beats = await self._beats()
        for worker, heard in beats.items():
            known = processes.get(f"worker:{worker}", Process("worker", worker, "up", 0, _UNKNOWN))
            # A worker's heartbeat decides whether it is dead; it also comes more often.
            state = "dead" if heard is None else "up" if known.state == "dead" else known.state
            processes[f"worker:{worker}"] = Process("worker", worker, state, heard or known.last_seen, known.load)
        return [processes[entry] for entry in sorted(processes)]

    async def _beats(self) -> dict[str, int | None]:
        """Return when each worker that has not left beat last; None for one whose heartbeat has expired."""
        workers = sorted(worker.decode() for worker in await self._store.execute("SMEMBERS", keys.workers_key()))
        replies = await self._store.execute_all(("HGET", keys.worker_key(worker), "last") for worker in workers)
        return {worker: int(last) if last else None for worker, last in zip(workers, replies, strict=True)}

    async def read_queue(self, first: int) -> Queue:
        """Return the queue, with the first `first` answers in it."""
        reply: Any = await self._store.run("queue", keys.queued_key(), keys.prefix())
        length, oldest, wait, now, clients, longest, since, free = reply
        waiting: Any = await self._store.execute("ZRANGE", keys.queued_key(), 0, first - 1)
        answers = tuple(answer.decode() for answer in waiting)
        return Queue(length, oldest, wait, now, answers, clients, longest.decode(), since, free)

    async def list_answers(self) -> list[str]:
        """Return the ids of all answers that wait, and of those that workers report to run."""
        waiting: Any = await self._store.execute("ZRANGE", keys.queued_key(), 0, -1)
        processes = await self.read_processes()
        running = [answer for process in processes for answer, _ in process.load.running]
        return [*(answer.decode() for answer in waiting), *running]

    async def read_jobs(self, answers: Collection[str]) -> list[Job]:
        """Return those of the answers that have not ended."""
        commands = (
            (("HMGET", keys.job_key(answer), "state", "accepted"), ("XLEN", keys.log_key(answer))) for answer in answers
        )
        replies = await self._store.execute_all(chain.from_iterable(commands))
        return [
            Job(answer, state.decode(), int(accepted or 0), events)
            for answer, (state, accepted), events in zip(answers, replies[::2], replies[1::2], strict=True)
            if state is not None and state not in ENDED_STATES
        ]

    async def read_counts(self, minutes: Iterable[int]) -> dict[int, dict[str, int]]:
        """Return the counts of those minutes (Unix time / 60); a minute without any report is left out."""
        wanted = list(minutes)
        replies = await self._store.execute_all(("HGETALL", keys.minute_key(minute)) for minute in wanted)
        return {
            minute: {name.decode(): int(amount) for name, amount in hash_fields(fields).items()}
            for minute, fields in zip(wanted, replies, strict=True)
            if fields
        }


def _process(entry: bytes, report: bytes, facts: bytes) -> Process:
    kind, _, name = entry.decode().partition(":")
    heard, _, _, state = report.decode().split(" ")
    try:
        load = msgspec.json.decode(facts, type=ProcessLoad)
    except msgspec.DecodeError:  # of another version
        load = _UNKNOWN
    return Process(kind, name, state, int(heard), load)
