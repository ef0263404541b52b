"""Sessions: the right to work on a token, and the saved state of its conversation."""

import asyncio
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from wire import keys
from wire.appends import Appended, Appends
from wire.errors import AnswerEndedError, BadMessageError, LeaseLostError, StateLostError
from wire.hmac_secret import HmacSecret
from wire.messages import Chat, Delta, Failed, Final, HistoryMessage, Replace, Work, decode_work, encode
from wire.prompt_text import fill_text
from wire.reasons import Reason
from wire.redis.store import Store
from wire.scripts import encode_arguments
from wire.settings import LEASE_TTL, SharedSettings
from wire.store_memory import StoreMemory
from wire.work_store import WorkStore

_UNREADABLE = Failed(Reason.JOB_UNREADABLE)
_LOST = Failed(Reason.STATE_LOST, reset=False)
_UNREAD = Chat("balanced", "")

# How many bytes of a conversation's transcript are kept, in case it must continue with another account.
TRANSCRIPT_LIMIT = 64 * 1024
# How many tokens one call of the reaper takes over: Redis serves no other client meanwhile.
_BATCH = 100

State = Literal["DONE", "FAILED", "STOPPED"]


class _Granted(msgspec.Struct):
    token: str
    fence: int
    job: str
    client: str
    weight: int
    session: str | None
    sent: int
    reset: bool
    waited: int


@dataclass(frozen=True)
class Lease:
    """A worker's right to a token, valid as long as the fence is the token's newest."""

    token: str
    worker: str
    fence: int

    @cached_property
    def text(self) -> str:
        """The lease as `append` reads it, made once for all of an answer's events."""
        return f"{self.token} {self.worker} {self.fence}"


@dataclass(frozen=True)
class ClaimedJob:
    """A job to work on under a lease.

    `session` is the saved conversation, None for a fresh one; `sent` counts the questions sent in it; `reset`: an
    earlier attempt at this job has replaced the conversation. `waited` is in seconds, by Redis's clock. `client` is
    whose it is, '' where clients aren't distinguished, and `weight` how many turns that one gets in a row.
    """

    lease: Lease
    answer: str
    work: Work
    session: bytes | None = None
    sent: int = 0
    reset: bool = False
    waited: float = field(default=0.0, compare=False)
    client: str = ""
    weight: int = 1

    @property
    def asker(self) -> str:
        """Whose job it is, where clients are distinguished; else its token."""
        return self.client or self.lease.token


@dataclass(frozen=True)
class Turns:
    """What a worker has taken: jobs, each with its work if that came along; else it is to be read.

    `number` is the reply's. `again` is in how many seconds to take again, None when the bell rings.
    """

    number: int
    jobs: tuple[tuple[ClaimedJob, bytes], ...]
    again: float | None


@dataclass(frozen=True)
class StatelessSession:
    """The session to keep where the upstream remembers nothing. `begins`: the question begins its transcript."""

    session: bytes
    begins: bool


@dataclass(frozen=True)
class Transcript:
    """A conversation's messages, oldest first; `whole` unless the beginning was cut off."""

    messages: tuple[HistoryMessage, ...]
    whole: bool


@dataclass(frozen=True)
class HeartbeatReply:
    """The reply to a heartbeat: since when Redis has run with its current data (ms), and the answers to stop.

    `waiting` is the number of clients that wait for a turn.
    """

    data_since: int
    stopped_answers: list[str]
    waiting: int = 0


class Reasserted(NamedTuple):
    """A worker continues what it has reported; `seq` is the last event of the answer that Redis has, 0 without one."""

    seq: int


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """What ends a turn, as `finish` writes it: it can be written again, byte by byte, to a Redis that has lost it.

    `rest` is the event ahead of the terminal one, b"" for none; b"" for `session` drops it, and the `exchange` is added
    to the transcript.
    """

    lease: Lease
    answer: str
    arguments: dict[str, Any]
    event: bytes
    rest: bytes
    session: bytes
    exchange: bytes

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return len(self.event) + len(self.rest) + len(self.session) + len(self.exchange)


class _Heartbeat(NamedTuple):
    """What a worker's last heartbeat says of it."""

    alive: bool
    takes_work: bool


class SessionLimits(Protocol):
    """The settings that hold for sessions, times in seconds; gateways' and workers' settings have them."""

    session_ttl: int
    answer_ttl: int
    response_ttl: int
    store_bytes: int | None


@dataclass(frozen=True)
class Sessions:
    """Leases and saved sessions, for workers; a token's end, for gateways. All may raise StoreUnavailableError.

    Any call may be repeated: it carries an op id, and the token's hash keeps the last one with its reply.
    """

    store: Store
    limits: SessionLimits = field(default_factory=SharedSettings.model_construct)
    lease_ttl: float = LEASE_TTL
    transcript_limit: int = TRANSCRIPT_LIMIT
    memory: StoreMemory = field(init=False)
    works: WorkStore = field(init=False)
    appends: Appends = field(init=False)
    secret: HmacSecret = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "memory", StoreMemory(self.store, self.limits.store_bytes))
        object.__setattr__(self, "works", WorkStore(self.store))
        object.__setattr__(self, "appends", Appends(self.store))
        object.__setattr__(self, "secret", HmacSecret(self.store))

    async def beat(
        self, worker: str, *, free: int = 0, takes_work: bool = True, reported: int | None = None
    ) -> HeartbeatReply:
        """Renew the worker's heartbeat, and with it all its leases. Without an account it takes no work.

        `free` is how many more turns it can take now. Each answer to stop is returned until it is finished. If
        `data_since` changes, Redis may have lost data, and the worker reports what it holds (`report_end`, `reassert`,
        `disclaim`) before any worker takes anything: `reported` is the `data_since` for which it has done so.
        """
        lease_ms = math.ceil(self.lease_ttl * 1000)
        began, stopped, waiting = await self.store.run(
            "beat",
            keys.worker_key(worker),
            keys.prefix(),
            worker,
            lease_ms,
            int(takes_work),
            self.limits.answer_ttl,
            free,
            reported or 0,
        )
        return HeartbeatReply(began, [answer.decode() for answer in stopped], waiting)

    async def report_end(self, token: str, answer: str, seq: int) -> None:
        """Report that an answer has ended, with its event `seq`."""
        prefix = keys.prefix(keys.shard_of(token))
        await self.store.run("ended", keys.job_key(answer), prefix, answer, token, seq, self.limits.answer_ttl)

    async def reassert(
        self, lease: Lease, answer: str = "", sent: int = 0, seq: int = 0, first: int | None = None
    ) -> Reasserted | None:
        """Report that the worker holds the lease, and works on `answer`, of which it has `seq` events.

        `sent` counts the questions sent in the conversation, 0 before this one was. `first` is the first event that the
        worker appends again if Redis has lost it, None if there is none. Returns None if it can't continue.
        """
        oldest = seq + 1 if first is None else first
        arguments = self._encode_arguments(
            lease, answer, sent=sent, seq=seq, first=oldest, answer_ttl=self.limits.answer_ttl
        )
        known: int = await self._run_for(lease, "reassert", arguments)
        return None if known < 0 else Reasserted(known)

    async def read_leases(self, worker: str) -> list[Lease]:
        """Return the leases that Redis holds for the worker."""
        tokens = [token.decode() for token in await self.store.execute("SMEMBERS", keys.owned_key(worker))]
        fences = await self.store.execute_all(("HGET", keys.token_key(token), "fence") for token in tokens)
        return [Lease(token, worker, int(fence or 0)) for token, fence in zip(tokens, fences, strict=True)]

    async def disclaim(self, lease: Lease) -> None:
        """Report that its worker doesn't hold the lease. A newer lease of the same token is not affected."""
        await self._run("disclaim", lease, self.limits.answer_ttl)

    async def leave(self, worker: str) -> None:
        """Remove the worker from the list. The reaper takes over tokens that it could not return."""
        *_, left = await self.store.execute_all(
            [
                ("DEL", keys.worker_key(worker), keys.stops_key(worker)),
                ("ZREM", keys.idle_key(), worker),
                ("EXISTS", keys.owned_key(worker)),
            ]
        )
        if not left:
            await self.store.execute_all([("DEL", keys.took_key(worker)), ("SREM", keys.workers_key(), worker)])

    async def list_live_workers(self) -> list[str]:
        """Return the workers that are alive."""
        return [worker for worker, beats in (await self._workers()).items() if beats.alive]

    async def list_available_workers(self) -> list[str]:
        """Return the workers that are alive and take work: those that have an account."""
        return [worker for worker, beats in (await self._workers()).items() if beats.alive and beats.takes_work]

    async def list_dead_workers(self) -> list[str]:
        """Return the workers that went silent without leaving."""
        return [worker for worker, beats in (await self._workers()).items() if not beats.alive]

    async def _workers(self) -> dict[str, _Heartbeat]:
        """Return the last heartbeat of every worker that has not left."""
        workers = sorted(worker.decode() for worker in await self.store.execute("SMEMBERS", keys.workers_key()))
        beats = await self.store.execute_all(
            ("HMGET", keys.worker_key(worker), "last", "takes_work") for worker in workers
        )
        # A worker of the version before says nothing of its accounts.
        return {
            worker: _Heartbeat(last is not None, takes_work != b"0")
            for worker, (last, takes_work) in zip(workers, beats, strict=True)
        }

    async def reap(self, worker: str, dead: str) -> int:
        """Take over a batch of a dead worker's tokens, in the name of `worker`.

        Returns how many are left; -1 if that worker is alive, or `worker` has not beaten for long enough to judge.
        """
        left: int = await self.store.run(
            "reap",
            keys.owned_key(dead),
            keys.prefix(),
            worker,
            dead,
            self.limits.answer_ttl,
            _BATCH,
        )
        return left

    async def take(self, worker: str, number: int, seen: int, free: int, running: Mapping[str, float]) -> Turns:
        """Take up to `free` turns; `running` counts the worker's turns of each client, over the client's weight.

        `number` grows with each call, and `seen` is that of the last reply: what a lost one had in it comes once more.
        """
        seen, again_ms, *granted = await self.store.run(
            "take",
            keys.took_key(worker),
            keys.prefix(),
            worker,
            number,
            seen,
            encode_arguments(free=free, running=running),
            self.limits.answer_ttl,
        )
        jobs = tuple((_granted(worker, turn), work) for turn, work in zip(granted[::2], granted[1::2], strict=True))
        return Turns(seen, jobs, None if again_ms < 0 else again_ms / 1000)

    async def read_work(self, job: ClaimedJob, short: bytes) -> ClaimedJob | None:
        """Return the job with its work, which is `short` unless that is empty.

        Without work that this version can read it ends, and the token is released.
        """
        work = short or await self.works.read(job.answer) or await self._read_inside(job)
        try:
            return replace(job, work=fill_text(decode_work(work)))
        except BadMessageError:
            # Without any work it has ended meanwhile, or Redis has lost some data.
            event = _UNREADABLE if work else _LOST
            await self.finish(job, "FAILED", event, job.session, keeps=False, spent=False)
            return None

    async def _read_inside(self, job: ClaimedJob) -> bytes:
        """Return the work of a job that a gateway of version 0.1 has submitted, or one for workers of that version."""
        work: bytes | None = await self.store.execute("HGET", keys.job_key(job.answer), "work")
        return work or b""

    async def mark_sent(
        self, job: ClaimedJob, attempt: int, sent: int, *, fresh: bool, stateless: StatelessSession | None = None
    ) -> None:
        """Mark the job as sent, just before it is, for the `attempt`-th time.

        `sent` counts the conversation's questions with this one. `stateless` where the upstream remembers nothing: the
        conversation then continues, whatever becomes of the answer. LeaseLostError or AnswerEndedError when the
        question must not be sent. UnconfirmedError: it is marked, but a fail-over might undo that, so that it must not
        be sent before `take_back_mark`, and another mark.
        """
        rules = {"begins": stateless.begins, "limit": self.transcript_limit} if stateless else None
        arguments = self._encode_arguments(
            job.lease,
            job.answer,
            op=_mark(job, attempt),
            sent=sent,
            fresh=fresh,
            answer_ttl=self.limits.answer_ttl,
            stateless=rules,
        )
        asked = encode_asked(job.work, begins=stateless.begins, limit=self.transcript_limit) if stateless else b""
        session = stateless.session if stateless else b""
        key, prefix = keys.token_key(job.lease.token), keys.prefix(keys.shard_of(job.lease.token))
        reply: Any = await self.store.run_confirmed("mark_sent", key, prefix, arguments, session, asked)
        _raise_unless(reply, b"sent")

    async def take_back_mark(self, job: ClaimedJob, attempt: int) -> None:
        """Take back the mark of the `attempt`-th sending, which never began, if Redis still has it."""
        await self._run("refused", job.lease, job.answer, _mark(job, attempt), self.limits.answer_ttl)

    async def record_refusal(self, job: ClaimedJob, attempt: int) -> None:
        """Allow another sending, since the upstream refused the `attempt`-th. LeaseLostError, AnswerEndedError."""
        _raise_unless(await self._run("refused", job.lease, job.answer, _mark(job, attempt)), b"claimed")

    async def record_wait(self, job: ClaimedJob, seconds: float) -> None:
        """Record that the job waits for an account, which returns in `seconds`. LeaseLostError."""
        _raise_unless(await self._run("waits", job.lease, job.answer, math.ceil(seconds * 1000)), b"noted")

    def append(
        self, lease: Lease, answer: str, seq: int, event: bytes, last: Appended | None = None
    ) -> "asyncio.Future[Appended]":
        """Append the encoded event that must get `seq`, together with those of other answers; see wire.appends.

        `last` is the confirmation of the one before, if the caller has it. LeaseLostError, AnswerEndedError,
        StateLostError.
        """
        return self.appends.add(keys.shard_of(lease.token), lease.text, answer, seq, event, last)

    async def count_growth(self, answer: str, size: int) -> bool:
        """Count an answer that grows as `size` bytes. Return False if its client has no room for as many."""
        allowed = (await self.memory.read()).allowed
        key, prefix = keys.job_key(answer), keys.prefix(keys.shard_of_answer(answer))
        return bool(await self.store.run("count_growth", key, prefix, answer, size, allowed))

    async def finish(
        self,
        job: ClaimedJob,
        state: State,
        event: Final | Failed,
        session: bytes | None,
        *,
        count_free: Callable[[], int] = lambda: 0,
        **how: Any,
    ) -> bool:
        """End a turn: see `encode_end` and `write_end`."""
        return await self.write_end(self.encode_end(job, state, event, session, **how), count_free)

    def encode_end(
        self,
        job: ClaimedJob,
        state: State,
        event: Final | Failed,
        session: bytes | None,
        *,
        keeps: bool = True,
        forget: bool = False,
        sent: int | None = None,
        seq: int = 0,
        exchange: tuple[HistoryMessage, ...] = (),
        begins: bool = False,
        spent: bool = True,
        rest: Delta | Replace | None = None,
    ) -> TurnEnd:
        """Return what ends a turn: the `rest` of the text, the terminal event, and the session to save (None drops it).

        `sent` counts the questions sent in that session's conversation, where the last mark was for another one; `seq`
        is the last event that the worker knows of, in case Redis has lost it. `exchange` is added to the transcript of
        a session that is kept, which `begins` empties first. `spent`: the question may have been answered. `keeps`: the
        worker still holds the token. `forget` keeps the token only as long as the answer.
        """
        arguments: dict[str, Any] = {
            "op": f"finish:{job.lease.fence}:{job.answer}",
            "state": state,
            "keeps": keeps,
            "session_ttl": self.limits.answer_ttl if forget else self.limits.session_ttl,
            "answer_ttl": self.limits.answer_ttl,
            "sent": sent,
            "seq": seq,
            "begins": begins,
            "transcript_limit": self.transcript_limit,
            "reports_reset": isinstance(event, Final) or event.reset,
            "spent": spent,
        }
        return TurnEnd(
            job.lease,
            job.answer,
            arguments,
            encode(event),
            b"" if rest is None else encode(rest),
            session or b"",
            msgspec.json.encode(exchange) if exchange else b"",
        )

    async def write_end(self, end: TurnEnd, count_free: Callable[[], int] = lambda: 0) -> bool:
        """End a turn, and return whether turns wait.

        `count_free` returns how many more turns the worker can take now. It is called just before Redis is, which must
        not get an old number after a newer one. LeaseLostError, and StateLostError where events ahead of the end are
        lost: nothing was written then. After StoreUnavailableError write it again: what was done meanwhile counts.
        """
        use = await self.memory.read()
        arguments = self._encode_arguments(
            end.lease,
            end.answer,
            **end.arguments,
            free=count_free(),
            transcripts_limit=use.transcripts,
            allowed=use.allowed,
        )
        reply = await self._run_for(end.lease, "finish", arguments, end.event, end.rest, end.session, end.exchange)
        if reply == b"stale":
            raise LeaseLostError("stale fence")
        if reply == b"lost":
            raise StateLostError("the answer's events are lost in Redis")
        return bool(reply == b"more")

    async def release(self, lease: Lease) -> bool:
        """Release the token; return False if a question is out. LeaseLostError when it was lost already."""
        reply = await self._run("release", lease, f"release:{lease.fence}:{secrets.token_hex(8)}")
        if reply == b"stale":
            raise LeaseLostError("stale fence")
        return bool(reply == b"released")

    async def read_transcript(self, token: str) -> Transcript:
        """Return the transcript of the token's conversation."""
        turns_json, cut = await self.store.transact(
            ("LRANGE", keys.transcript_key(token), 0, -1), ("HEXISTS", keys.token_key(token), "cut")
        )
        turns = [msgspec.json.decode(turn, type=tuple[HistoryMessage, ...]) for turn in turns_json]
        return Transcript(tuple(chain.from_iterable(turns)), not cut)

    async def end(self, token: str) -> None:
        """Delete the token, after its running turn; its waiting jobs end as failed and were never sent."""
        await self.store.run(
            "end_session",
            keys.token_key(token),
            keys.prefix(keys.shard_of(token)),
            token,
            self.limits.answer_ttl,
        )

    async def _run(self, script: str, lease: Lease, *args: str | bytes | int) -> Any:
        return await self._run_for(lease, script, lease.token, lease.worker, lease.fence, *args)

    async def _run_for(self, lease: Lease, script: str, *args: str | bytes | int) -> Any:
        key, prefix = keys.token_key(lease.token), keys.prefix(keys.shard_of(lease.token))
        reply: Any = await self.store.run(script, key, prefix, *args)
        return reply

    @staticmethod
    def _encode_arguments(lease: Lease, answer: str, **arguments: Any) -> bytes:
        return encode_arguments(token=lease.token, worker=lease.worker, fence=str(lease.fence), job=answer, **arguments)


def encode_asked(work: Work, *, begins: bool, limit: int) -> bytes:
    """Return the messages that a transcript gets of a question, ahead of its answer; nothing above `limit` bytes."""
    if not isinstance(work, Chat):
        return b""
    messages = (*(work.history if begins else ()), HistoryMessage("user", work.question))
    if sum(len(message.text) for message in messages) > limit:
        return b""
    encoded = msgspec.json.encode(messages)
    return encoded if len(encoded) <= limit else b""


def _granted(worker: str, turn: bytes) -> ClaimedJob:
    granted = msgspec.json.decode(turn, type=_Granted)
    lease = Lease(granted.token, worker, granted.fence)
    session = None if granted.session is None else granted.session.encode()
    return ClaimedJob(
        lease,
        granted.job,
        _UNREAD,
        session,
        granted.sent,
        granted.reset,
        granted.waited / 1000,
        granted.client,
        granted.weight,
    )


def _mark(job: ClaimedJob, attempt: int) -> str:
    """Return the op id of one sending."""
    return f"sent:{job.lease.fence}:{job.answer}:{attempt}"


def _raise_unless(reply: bytes, wanted: bytes) -> None:
    if reply == wanted:
        return
    if reply == b"ended":
        raise AnswerEndedError("the answer has ended")
    raise LeaseLostError("stale fence")
