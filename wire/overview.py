"""What there is to see of the whole system: processes, the queue, what runs, and what was counted."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from wire import keys
from wire.redis.errors import translate_errors
from wire.redis.store import Store
from wire.reporter import ProcessLoad

_ENDED = (b"DONE", b"FAILED", b"STOPPED")
_UNKNOWN = ProcessLoad(version="")


@dataclass(frozen=True)
class Process:
    """A gateway or a worker. `heard`: when it spoke last (Unix ms); `state` is `up`, `draining` or `dead`."""

    kind: str
    name: str
    state: str
    last_seen: int
    load: ProcessLoad


@dataclass(frozen=True)
class Queue:
    """Jobs that wait: how many, since when the oldest does (Unix ms), in how many s one more would have its turn.

    `first` are those first in line. `now` is Redis's time in ms.
    """

    length: int
    oldest_since: int
    wait: int
    now: int
    first_answers: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A job that waits or runs; `accepted` in Unix ms."""

    answer: str
    state: str
    accepted: int
    seq: int


class Overview:
    """Reads. It may raise StoreUnavailableError throughout."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read_processes(self) -> list[Process]:
        """All gateways and workers that have spoken of themselves lately, and workers that only beat."""
        with translate_errors():
            async with self._store.commands.pipeline(transaction=False) as pipe:
                pipe.hgetall(keys.processes_key())
                pipe.hgetall(keys.facts_key())
                stood, facts = await pipe.execute()
        told = {entry.decode(): _process(entry, said, facts.get(entry, b"")) for entry, said in stood.items()}
        beats = await self._beats()
        for worker, heard in beats.items():
            found = told.get(f"worker:{worker}", Process("worker", worker, "up", 0, _UNKNOWN))
            # Whether a worker is dead, its heartbeat says; it also comes more often.
            state = "dead" if heard is None else "up" if found.state == "dead" else found.state
            told[f"worker:{worker}"] = Process("worker", worker, state, heard or found.last_seen, found.load)
        return [told[entry] for entry in sorted(told)]

    async def _beats(self) -> dict[str, int | None]:
        """When each worker that has not left beat last; None for one whose heartbeat has run out."""
        with translate_errors():
            members: Any = await self._store.commands.smembers(keys.workers_key())
            workers = sorted(worker.decode() for worker in members)
            async with self._store.commands.pipeline(transaction=False) as pipe:
                for worker in workers:
                    pipe.hget(keys.worker_key(worker), "last")
                found = await pipe.execute()
        return {worker: int(last) if last else None for worker, last in zip(workers, found, strict=True)}

    async def read_queue(self, first: int) -> Queue:
        """How the queue stands, and the `first` so many in it."""
        length, oldest, wait, now = await self._store.run("queue", keys.queued_key(), keys.prefix())
        with translate_errors():
            waiting: Any = await self._store.commands.zrange(keys.queued_key(), 0, first - 1)
        return Queue(length, oldest, wait, now, tuple(answer.decode() for answer in waiting))

    async def read_jobs(self, answers: Collection[str]) -> list[Job]:
        """Those of the answers that have not ended."""
        with translate_errors():
            async with self._store.commands.pipeline(transaction=False) as pipe:
                for answer in answers:
                    pipe.hmget(keys.job_key(answer), ["state", "accepted", "seq"])
                found: Any = await pipe.execute()
        return [
            Job(answer, state.decode(), int(accepted or 0), int(seq or 0))
            for answer, (state, accepted, seq) in zip(answers, found, strict=True)
            if state is not None and state not in _ENDED
        ]

    async def read_counts(self, minutes: Iterable[int]) -> dict[int, dict[str, int]]:
        """What was counted in those minutes (Unix time / 60); a minute in which nobody spoke is left out."""
        wanted = list(minutes)
        with translate_errors():
            async with self._store.commands.pipeline(transaction=False) as pipe:
                for minute in wanted:
                    pipe.hgetall(keys.minute_key(minute))
                found: Any = await pipe.execute()
        return {
            minute: {name.decode(): int(amount) for name, amount in fields.items()}
            for minute, fields in zip(wanted, found, strict=True)
            if fields
        }


def _process(entry: bytes, said: bytes, facts: bytes) -> Process:
    kind, _, name = entry.decode().partition(":")
    heard, _, _, state = said.decode().split(" ")
    try:
        load = msgspec.json.decode(facts, type=ProcessLoad)
    except msgspec.DecodeError:  # of another version
        load = _UNKNOWN
    return Process(kind, name, state, int(heard), load)
