"""Submission of jobs, and what gateways do with them until they end."""

import asyncio
import contextlib
import math
import secrets
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec
import structlog

from telemetry import traces
from wire import keys
from wire.about import describe, encode_about, weigh
from wire.errors import (
    AnswerNotFoundError,
    ClientBytesError,
    ClientDailyError,
    ClientFullError,
    ConversationMovedError,
    KeyReusedError,
    KeySpentError,
    OutdatedWorkerError,
    QueueFullError,
    StoreFullError,
    StoreUnavailableError,
    TokenUnknownError,
    WireError,
)
from wire.json_values import unpacked_bytes
from wire.messages import Call, Failed, Final, Prompted, Work, encode
from wire.prompt_text import joined_bytes, plain_question
from wire.reasons import Reason
from wire.redis.store import Store
from wire.rolling_update import OutdatedProcesses
from wire.scripts import encode_arguments
from wire.sessions import State
from wire.store_memory import MemoryUse, StoreMemory
from wire.terminal_events import TO_BE_MEASURED
from wire.threads import run_sized
from wire.work_store import SHORT_WORK, WorkStore

# Seconds that a client gets as Retry-After when no worker could do a job.
RETRY_AFTER = 5
# For how many seconds a call that Redis never answered may still be on its way to it, and how many of its jobs are
# withdrawn at a time.
_ON_ITS_WAY = 60
_MOST_WITHDRAWN = 1000
# For how many seconds a proxy's attempt is known.
_ATTEMPT_TTL = 60
_AWAY_PAUSE = 0.2
# For how many ms longer than it may a job waits until it is ended without a worker: workers do that, and gateways for
# jobs that they follow.
_OVERDUE_MS = 15_000
# Answers of more events are stopped one after the other: Redis puts their text together, and serves nobody else
# meanwhile.
_LONG_ANSWER = 1000
_REFUSALS: dict[type[WireError], Reason] = {
    QueueFullError: Reason.QUEUE_FULL,
    ClientFullError: Reason.CLIENT_LIMIT,
    ClientBytesError: Reason.CLIENT_BYTES,
    ClientDailyError: Reason.CLIENT_DAILY,
    StoreFullError: Reason.STORE_FULL,
    OutdatedWorkerError: Reason.WORKER_OUTDATED,
}
_LOG = structlog.get_logger()


def new_answer_id() -> str:
    """Return an unguessable id for an answer, which begins with its shard."""
    return f"{keys.SHARD}-{secrets.token_hex(16)}"


def new_token() -> str:
    """Return a new token."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Client:
    """A client. Its jobs count for `name` (an API key's, or an address; '' for none) up to `limit`, or CLIENT_LIMIT.

    In a day of UTC `daily` of them are accepted, or CLIENT_DAILY.

    Only the `holder` that made a token can use it; '' is everybody without an API key. `models` are the names, perhaps
    with `*` in them, of the models that it may ask for; None is all of them. While others wait as well it gets `weight`
    turns in a row.
    """

    name: str = ""
    holder: str = ""
    limit: int | None = None
    models: tuple[str, ...] | None = None
    weight: int = 1
    daily: int | None = None


ANYBODY = Client()


@dataclass(frozen=True)
class IdempotencyKey:
    """An Idempotency-Key: under `name` only this `question` is accepted, and once. Neither contains a space."""

    name: str
    question: str


class JobLimits(Protocol):
    """The settings that hold for jobs; a gateway's settings have them.

    Times are in seconds; `follow_grace` is how long a job waits although nobody follows its answer, and `queue_timeout`
    how long it waits at all.
    `queue_limit` counts the jobs that wait in all, `mailbox_limit` those of one token, and `client_limit` those of one
    client that wait or run; `client_daily` those of one client that are accepted in a day of UTC. `store_bytes` and
    `client_bytes` may be kept in all, and of one client; see their settings.
    """

    session_ttl: int
    answer_ttl: int
    follow_grace: float
    idempotency_ttl: int
    queue_timeout: float
    queue_limit: int
    mailbox_limit: int
    client_limit: int
    client_daily: int | None
    store_bytes: int | None
    client_bytes: int | None


@dataclass(frozen=True, slots=True)
class _NewJob:
    """What a job is queued with, beside its work; see Jobs.submit."""

    answer: str
    token: str
    create: bool
    client: Client
    once: IdempotencyKey | None
    after: str
    attempt: str


class Jobs:
    """Queue of jobs, for gateways. Work of up to `inside` bytes is kept inside its job.

    `refusals` counts the jobs that were refused, or expired in the queue.
    """

    def __init__(self, store: Store, limits: JobLimits, *, inside: int = SHORT_WORK) -> None:
        self._store = store
        self._inside = inside
        self._limits = limits
        self._works = WorkStore(store)
        self.memory = StoreMemory(store, limits.store_bytes)
        self._outdated = OutdatedProcesses(store)
        self._withdrawing: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Lock()
        self.refusals: Counter[str] = Counter()

    async def submit(
        self,
        answer: str,
        work: Work,
        token: str,
        *,
        create: bool,
        client: Client = ANYBODY,
        once: IdempotencyKey | None = None,
        after: str = "",
        attempt: str = "",
    ) -> str:
        """Queue a job under an id of the caller's; `create` makes the token if it isn't alive.

        `after`: the answer that must be the token's last one, or else ConversationMovedError. The job gets the current
        trace. `attempt` is the name under which a proxy may send the same request to another gateway.

        Returns that id, or with `once` or `attempt` the id of the existing answer. TokenUnknownError, QueueFullError,
        ClientFullError, ClientDailyError, ClientBytesError, StoreFullError, KeyReusedError, KeySpentError.
        OutdatedWorkerError: a worker is alive that can't read a prompt, or a call. StoreUnavailableError, also where no
        replica has the job in time: a job that Redis may have accepted nevertheless is withdrawn as soon as it answers;
        with `once` it remains, for the next attempt to find.
        """
        try:
            accepted = await self._submit(_NewJob(answer, token, create, client, once, after, attempt), work)
        except tuple(_REFUSALS) as error:
            self.refusals[_REFUSALS[type(error)]] += 1
            raise
        except StoreUnavailableError:
            self.refusals[Reason.STORE_UNAVAILABLE] += 1
            if once is None:
                self._withdraw_soon(answer, attempt)
            raise
        _LOG.info("question accepted" if accepted == answer else "question asked before", answer=accepted)
        return accepted

    async def _submit(self, new: _NewJob, work: Work) -> str:
        try:
            memory = await self.memory.read()
            if memory.is_full:
                raise StoreFullError
            unfollowed = isinstance(work, Prompted) and work.background
            if isinstance(work, Prompted) and await self._outdated.are_there():
                work = plain_question(work) or work
            if isinstance(work, Prompted) and await self._outdated.are_workers_there():
                raise OutdatedWorkerError("a worker of the version before is alive")
            if isinstance(work, Call):
                await self.check_calls()
            grace = None if unfollowed else self._grace_ms
            return await self._enqueue(new, work, memory, grace)
        except (StoreFullError, OutdatedWorkerError):
            once = new.once
            if once is None:
                raise
            # What was asked before is known also while nothing new is accepted.
            key, prefix = keys.idem_key(once.name), keys.prefix(keys.shard_of(new.token))
            reply: Any = await self._store.run("asked", key, prefix, once.name, once.question)
            if reply is None:
                raise
            return _accepted(new.answer, *reply)

    async def _enqueue(self, new: _NewJob, work: Work, memory: MemoryUse, grace: int | None) -> str:
        if trace := traces.current_traceparent():
            work = msgspec.structs.replace(work, trace=trace)
        encoded, about, unpacked = await run_sized(weigh(work), _encode, work)
        answer, token, once = new.answer, new.token, new.once
        outdated = await self._outdated.are_there()
        arguments = encode_arguments(
            job=answer,
            token=token,
            create=new.create,
            idem=once.name if once else "",
            question=once.question if once else "",
            after=new.after,
            attempt=new.attempt,
            grace=grace,
            unpacked=unpacked,
            outdated=outdated,
            as_before=await self._outdated.are_workers_without_ring(),
            **self._rules(new.client, memory),
        )
        key, prefix = keys.job_key(answer), keys.prefix(keys.shard_of(token))
        enqueue = partial(self._store.run_confirmed, "enqueue", key, prefix, arguments, about)
        if outdated or len(encoded) <= self._inside:
            return _accepted(answer, *await enqueue(encoded))
        async with self._works.submitting(new.client.name, len(encoded), memory.unaccepted):
            try:
                await self._works.write(answer, encoded)
                reply: Any = await enqueue(b"")
            except StoreFullError:
                await self._works.delete(answer)
                raise
        return _accepted(answer, *reply)

    def _rules(self, client: Client, memory: MemoryUse) -> dict[str, Any]:
        """Return what holds for all jobs of a client, as the script gets it."""
        limits = self._limits
        return {
            "client": client.name,
            "holder": client.holder,
            "weight": client.weight,
            "client_limit": limits.client_limit if client.limit is None else client.limit,
            "client_bytes": limits.client_bytes or memory.allowed,
            "daily": limits.client_daily if client.daily is None else client.daily,
            "store_bytes": memory.allowed,
            "queue_limit": limits.queue_limit,
            "mailbox_limit": limits.mailbox_limit,
            "queue_timeout": math.ceil(limits.queue_timeout * 1000),
            "overdue": _OVERDUE_MS,
            "answer_ttl": limits.answer_ttl,
            "session_ttl": limits.session_ttl,
            "idem_ttl": limits.idempotency_ttl,
            "attempt_ttl": _ATTEMPT_TTL,
        }

    async def check_calls(self) -> None:
        """Raise OutdatedWorkerError if a worker is alive that knows no calls. StoreUnavailableError."""
        if await self._outdated.are_workers_without_calls():
            raise OutdatedWorkerError("a worker of the version before is alive")

    async def is_known(self, once: IdempotencyKey) -> bool:
        """Return whether something was asked under the Idempotency-Key. StoreUnavailableError."""
        return bool(await self._store.execute("EXISTS", keys.idem_key(once.name)))

    def _withdraw_soon(self, answer: str, attempt: str) -> None:
        """Withdraw the job in the background."""
        if len(self._withdrawing) < _MOST_WITHDRAWN:
            task = asyncio.create_task(self._withdraw(answer, attempt))
            self._withdrawing.add(task)
            task.add_done_callback(self._withdrawing.discard)

    async def _withdraw(self, answer: str, attempt: str = "") -> None:
        """Withdraw the job, and see that a replica has it; repeat this for as long as the job may be on its way."""
        prefix = keys.prefix(keys.shard_of_answer(answer))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ON_ITS_WAY):
                while True:
                    try:
                        key, ttl = keys.job_key(answer), self._limits.answer_ttl
                        await self._store.run_confirmed("withdraw", key, prefix, answer, ttl, _ON_ITS_WAY, attempt)
                    except StoreUnavailableError:
                        await asyncio.sleep(_AWAY_PAUSE)
                    else:
                        return

    async def close(self) -> None:
        """Stop withdrawing jobs, and looking for older processes."""
        await self._outdated.close()
        for task in self._withdrawing:
            task.cancel()
        await asyncio.gather(*self._withdrawing, return_exceptions=True)

    async def keep_alive(self, answer: str) -> bool:
        """Keep a job that waits from being cancelled for FOLLOW_GRACE; return False when it doesn't wait any more.

        StoreUnavailableError.
        """
        prefix = keys.prefix(keys.shard_of_answer(answer))
        return bool(await self._store.run("follow", keys.job_key(answer), prefix, self._grace_ms))

    async def sweep(self) -> None:
        """End jobs that have waited for longer than they may, a few at a time. StoreUnavailableError.

        To be called every few seconds: after a gap none is ended for a while, since Redis may have been away.
        """
        await self._store.run("sweep", keys.looks_key(), keys.prefix(), self._limits.answer_ttl, _OVERDUE_MS)

    async def expire(self, answer: str, reason: Reason = Reason.QUEUE_TIMEOUT) -> bool:
        """End a job that still waits, with Retry-After; return whether it did. StoreUnavailableError."""
        event = Failed(reason, reset=False, retry_after=TO_BE_MEASURED)
        before, after = encode(event).split(str(TO_BE_MEASURED).encode())
        expiring = self._store.start(
            "expire",
            keys.job_key(answer),
            keys.prefix(keys.shard_of_answer(answer)),
            answer,
            before,
            after,
            self._limits.answer_ttl,
            read=partial(self._expired, reason),
        )
        # A follower may get the end, and leave, before the reply arrives: it is counted nevertheless.
        return await asyncio.shield(expiring)

    def _expired(self, reason: Reason, reply: int) -> bool:
        self.refusals[reason] += reply
        return bool(reply)

    @property
    def client_limit(self) -> int:
        """How many jobs of a client without a limit of its own may wait or run."""
        return self._limits.client_limit

    @property
    def _grace_ms(self) -> int:
        return int(self._limits.follow_grace * 1000)

    async def stop(self, answer: str, holder: str | None = "") -> State:
        """End the holder's answer, or any holder's (None), with the text that its readers have so far.

        The event reports a reset of the conversation, unless its upstream remembers none.

        Returns the state that it ended in, now or before. The worker hangs up upstream within a second; a job that
        still waits ends at once and is never sent. AnswerNotFoundError, StoreUnavailableError, also where no replica
        has it in time: a fail-over would let the answer go on.
        """
        state = await self._stop(self._store.run_confirmed, answer, holder=holder)
        if state is None:
            raise AnswerNotFoundError("no such answer")
        return state

    async def stop_abandoned(self, answer: str) -> bool:
        """End an answer that nobody follows and nobody can ask for again; return whether it has ended.

        One that was sent ends only where its upstream remembers nothing: elsewhere the conversation would be lost with
        it. StoreUnavailableError.
        """
        followers = await self._store.count_subscribers(keys.channel(answer))
        return not followers and await self._stop(self._store.run, answer, abandoned=True) is not None

    async def _stop(
        self,
        run: Callable[..., Awaitable[Any]],
        answer: str,
        *,
        holder: str | None = None,
        abandoned: bool | None = None,
    ) -> State | None:
        before, after = encode(Final("\0", reset=True, stopped=True)).split(rb'"\u0000"')
        _, continues = encode(Final("\0", reset=False, stopped=True)).split(rb'"\u0000"')
        arguments = encode_arguments(job=answer, answer_ttl=self._limits.answer_ttl, holder=holder, abandoned=abandoned)
        key, prefix = keys.job_key(answer), keys.prefix(keys.shard_of_answer(answer))
        events = await self._store.execute("XLEN", keys.log_key(answer))
        async with self._stopping if events > _LONG_ANSWER else contextlib.nullcontext():
            reply = await run("stop", key, prefix, arguments, before, after, continues)
        return None if reply is None else reply.decode()


def _encode(work: Work) -> tuple[bytes, bytes, int]:
    """Return the work, what is kept of it, and the bytes that it takes of a worker's memory.

    BadMessageError if a text contains a lone surrogate.
    """
    encoded = encode(work)
    # What a call for embeddings sends stays as it came.
    unpacked = len(encoded) if isinstance(work, Call) else unpacked_bytes(encoded) + joined_bytes(work)
    return encoded, encode_about(describe(work)), unpacked


def _accepted(answer: str, status: bytes, detail: Any) -> str:
    match status:
        case b"accepted":
            return answer
        case b"existing":
            return str(detail.decode())
        case b"reused":
            raise KeyReusedError("the key belongs to another question")
        case b"spent":
            raise KeySpentError("the key's answer is no longer kept")
        case b"moved":
            raise ConversationMovedError("the conversation has been continued elsewhere")
        case b"client":
            raise ClientFullError(int(detail))
        case b"daily":
            raise ClientDailyError(int(detail))
        case b"full":
            raise QueueFullError(int(detail))
        case b"client_bytes":
            raise ClientBytesError(int(detail))
        case b"bytes":
            raise StoreFullError(int(detail))
        case b"missing":
            raise StoreUnavailableError("Redis has lost the work")
        case _:
            raise TokenUnknownError("no such token")
