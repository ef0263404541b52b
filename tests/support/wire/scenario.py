"""Workers and gateways, as far as wire knows them: who asks, who is hired, who dies."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.settings import GatewaySettings
from tests.support.patched_store import PatchedStore
from tests.support.redis_client import redis_client
from wire import keys
from wire.answers import Answers
from wire.appends import Appended
from wire.errors import StoreUnavailableError
from wire.jobs import ANYBODY, Client, IdempotencyKey, Jobs, new_answer_id, new_token
from wire.messages import Chat, Delta, Event, Final, encode
from wire.redis.connection import Argument
from wire.redis.store import Store
from wire.sessions import ClaimedJob, Sessions, Turns
from wire.settings import LEASE_TTL
from wire.work_store import SHORT_WORK

# Scripts whose reply says what this very call has changed, or for how long something has waited.
_RETURNS_NEWS = (
    "take",
    "beat",
    "expire",
    "reap",
    "announce",
    "reserve",
    "record",
    "order",
    "news",
    "take_handed_in",
    "report",
    "queue",
)


@dataclass(frozen=True)
class Asked:
    """A job that was handed in."""

    answer: str
    token: str


class Scenario:
    """One Redis and what happens on it; every step is one call of wire."""

    def __init__(
        self,
        store: Store,
        limits: GatewaySettings | None = None,
        lease_ttl: float = LEASE_TTL,
        *,
        inside: int = SHORT_WORK,
    ) -> None:
        self.store = store
        self.redis: Any = redis_client(store)
        self.limits = limits or GatewaySettings()
        self.jobs = Jobs(store, self.limits, inside=inside)
        self.sessions = Sessions(store, self.limits, lease_ttl)
        # Of each worker, the number of its last call that took turns, and of the last reply that it has got.
        self._numbers: Counter[str] = Counter()
        self._seen: dict[str, int] = {}

    async def hire(self, *workers: str, may_judge: bool = False) -> None:
        """Workers with a heartbeat; `may_judge`: one that has beaten without a gap for a whole lease."""
        for worker in workers:
            await self.sessions.beat(worker)
            if may_judge:
                await self.redis.hset(keys.worker_key(worker), "since", 1)

    async def settle(self) -> None:
        """Redis has run with its data for long."""
        run = "memory" if self.store.in_memory else (await self.redis.info("server"))["run_id"]
        await self.redis.hset(keys.run_key(), mapping={"id": run, "at": 0})

    async def kill(self, worker: str) -> None:
        """Expire the worker's heartbeat."""
        await self.redis.delete(keys.worker_key(worker))

    async def ask(
        self,
        question: str = "hello",
        token: str | None = None,
        client: Client = ANYBODY,
        once: IdempotencyKey | None = None,
        attempt: str = "",
    ) -> Asked:
        """Ask a question, without a token one of a new conversation; return the answer that it got."""
        token_, create = token or new_token(), token is None
        work = Chat("balanced", question)
        answer = await self.jobs.submit(
            new_answer_id(), work, token_, create=create, client=client, once=once, attempt=attempt
        )
        return Asked(answer, token_)

    async def turns(self, worker: str, free: int = 100, running: Mapping[str, float] | None = None) -> Turns:
        """Take turns for the worker, as it does: numbered."""
        self._numbers[worker] += 1
        number, seen = self._numbers[worker], self._seen.get(worker, 0)
        turns = await self.sessions.take(worker, number, seen, free, running or {})
        self._seen[worker] = turns.number
        return turns

    async def take_all(self, worker: str, free: int = 100) -> list[ClaimedJob]:
        """Take turns for the worker, and read their work."""
        turns = await self.turns(worker, free)
        read = [await self.sessions.read_work(job, short) for job, short in turns.jobs]
        return [job for job in read if job is not None]

    async def take(self, worker: str) -> ClaimedJob:
        """Take the next turn for the worker."""
        (task,) = await self.take_all(worker, free=1)
        return task

    async def sent(self, worker: str) -> ClaimedJob:
        """Take the next job for the worker and mark it as sent."""
        task = await self.take(worker)
        await self.sessions.mark_sent(task, 1, task.sent + 1, fresh=task.session is None)
        return task

    def append(
        self, task: ClaimedJob, seq: int, event: Event, last: Appended | None = None
    ) -> asyncio.Future[Appended]:
        """Append an event."""
        return self.sessions.append(task.lease, task.answer, seq, encode(event), last)

    async def lengthen(self, task: ClaimedJob, event: Event, last: int) -> None:
        """Write the same event at once behind the first one of an answer that streams, up to the seq `last`."""
        async with self.redis.pipeline(transaction=False) as pipeline:
            for seq in range(2, last + 1):
                pipeline.xadd(keys.log_key(task.answer), {"e": encode(event)}, id=f"{seq}-0")
            await pipeline.execute()

    async def finish(
        self, task: ClaimedJob, text: str = "done", session: bytes | None = b"{}", free: int = 0, **how: Any
    ) -> bool:
        """Finish a turn with a whole answer; return whether turns wait."""
        return await self.sessions.finish(task, "DONE", Final(text), session, count_free=lambda: free, **how)

    async def events(self, answer: str) -> list[Event]:
        """Return the events in the answer's log, whose seqs must be 1, 2, 3 and so on."""
        entries = (await Answers(self.store).read(answer)).events
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        return [entry.event for entry in entries]

    async def state(self, answer: str) -> str:
        """Return the job's state."""
        return str((await self.redis.hget(keys.job_key(answer), "state")).decode())

    async def names(self) -> set[str]:
        """All keys that there are, but for the one that says which Redis this is."""
        return {key.decode() for key in await self.redis.keys("*")} - {keys.run_key()}

    async def answered(self, answer: str, token: str, count: int) -> None:
        """Write a whole answer of `count` deltas and its end to Redis, without publishing it."""
        for seq in range(1, count + 1):
            await log(self.store, answer, seq, Delta(f"{seq} "))
        await log(self.store, answer, count + 1, Final("whole"))
        job = {"state": "DONE", "seq": count + 1, "token": token}
        await self.redis.hset(keys.job_key(answer), mapping=job)


async def log(store: Store, answer: str, seq: int, event: Event) -> None:
    """Put an event into an answer's log, as if the message about it were lost."""
    redis: Any = redis_client(store)
    await redis.xadd(keys.log_key(answer), {"e": encode(event)}, id=f"{seq}-0")


class RepeatingStore(PatchedStore):
    """Redis behind a line on which every reply is lost once: each call of a script arrives twice."""

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        first = await super().run(script, key, *args)
        second = await super().run(script, key, *args)
        assert script in _RETURNS_NEWS or first == second, (script, first, second)
        return first


class ForgetfulStore(PatchedStore):
    """Redis that goes away after `lose`'s script was run: the caller learns nothing of what it did."""

    lose = ""

    async def run(self, script: str, key: str, *args: Argument) -> Any:
        reply = await super().run(script, key, *args)
        if script == self.lose:
            self.lose = ""
            raise StoreUnavailableError("the reply was lost")
        return reply
