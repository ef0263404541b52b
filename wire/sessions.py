"""Sessions: who may work on a token, and what is saved of its conversation."""

import asyncio
import math
import secrets
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Literal, Protocol

import msgspec

from wire import keys
from wire.errors import AnswerEndedError, BadMessageError, LeaseLostError, StateLostError
from wire.messages import Chat, Event, Failed, Final, HistoryMessage, Work, decode_work, encode
from wire.reasons import Reason
from wire.redis.errors import translate_errors
from wire.redis.store import Store
from wire.scripts import encode_arguments
from wire.settings import LEASE_TTL, SharedSettings

_UNREADABLE = Failed(Reason.JOB_UNREADABLE)
_UNREAD = Chat("balanced", "")

# How many bytes of what was said in a conversation are kept, in case it has to go on with another account.
_TRANSCRIPT = 64 * 1024
# How many tokens one call of the reaper takes over: Redis serves nobody else meanwhile.
_BATCH = 100

State = Literal["DONE", "FAILED", "STOPPED"]


class _Claimed(msgspec.Struct):
    status: Literal["claimed", "nothing", "wait"]
    fence: int = 0
    job: str = ""
    work: str = ""
    session: str | None = None
    sent: int = 0
    reset: bool = False
    waited: int = 0


class _Finished(msgspec.Struct):
    status: Literal["idle", "next", "released", "stale"]
    kept: bool = False
    job: str = ""
    work: str = ""
    sent: int = 0
    waited: int = 0


@dataclass(frozen=True)
class Lease:
    """A worker's right to a token, valid as long as the fence is the token's newest."""

    token: str
    worker: str
    fence: int


@dataclass(frozen=True)
class ClaimedJob:
    """One job to work on under a lease.

    `session` is the saved conversation, None for a fresh one; `sent` counts the questions sent in it; `reset` says that
    an earlier attempt at this job has replaced the conversation. `waited`: for how many seconds, by Redis's clock.
    """

    lease: Lease
    answer: str
    work: Work
    session: bytes | None = None
    sent: int = 0
    reset: bool = False
    waited: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class ScheduleEntry:
    """A schedule entry as read from a stream: a hint that the token has work.

    `reading` tells two readings of the same entry apart: only a repeat of one reading's claim gets that claim's reply.
    """

    stream: str
    id: str
    token: str
    reading: str = ""


@dataclass(frozen=True)
class Transcript:
    """What was said in a conversation, oldest first; `whole` unless its beginning was cut off."""

    messages: tuple[HistoryMessage, ...]
    whole: bool


@dataclass(frozen=True)
class HeartbeatReply:
    """What a heartbeat brings: since when Redis runs with the data that it has (ms), and the answers to stop."""

    data_since: int
    stopped_answers: list[str]


class SessionLimits(Protocol):
    """The settings that hold for sessions, in seconds; gateways' and workers' settings have them."""

    session_ttl: int
    answer_ttl: int


@dataclass(frozen=True)
class Sessions:
    """Leases and saved sessions, for workers; a token's end, for gateways. All may raise StoreUnavailableError.

    Any call may be repeated: it carries an op id, and the token's hash keeps the last one with its reply.
    """

    store: Store
    limits: SessionLimits = field(default_factory=SharedSettings.model_construct)
    lease_ttl: float = LEASE_TTL

    async def beat(self, worker: str) -> HeartbeatReply:
        """Renew the worker's heartbeat, and with it all its leases.

        Each answer to stop comes back until it is finished. Another `began` than before: Redis may have lost data, and
        the worker says what it holds (`ended`, `reassert`, `disclaim`) before anybody claims anything.
        """
        lease_ms = math.ceil(self.lease_ttl * 1000)
        began, stopped = await self.store.run("beat", keys.worker_key(worker), keys.prefix(), worker, lease_ms)
        return HeartbeatReply(began, [answer.decode() for answer in stopped])

    async def report_end(self, token: str, answer: str, seq: int) -> None:
        """Say that an answer had ended, with its event `seq`."""
        prefix = keys.prefix(keys.shard_of(token))
        await self.store.run("ended", keys.job_key(answer), prefix, answer, token, seq, self.limits.answer_ttl)

    async def reassert(self, lease: Lease, answer: str = "", sent: int = 0, seq: int = 0) -> bool:
        """Say that the worker holds the lease, and works on `answer`, of which it has `seq` events.

        `sent` counts the questions sent in the conversation, 0 before this one was. False if it can't go on.
        """
        return await self._run("reassert", lease, answer, sent, seq, self.limits.answer_ttl) == b"kept"

    async def read_leases(self, worker: str) -> list[Lease]:
        """The leases that are the worker's, in Redis's eyes."""
        with translate_errors():
            found: Any = await self.store.commands.smembers(keys.owned_key(worker))
            tokens = [token.decode() for token in found]
            async with self.store.commands.pipeline(transaction=False) as pipe:
                for token in tokens:
                    pipe.hget(keys.token_key(token), "fence")
                fences = await pipe.execute()
        return [Lease(token, worker, int(fence or 0)) for token, fence in zip(tokens, fences, strict=True)]

    async def disclaim(self, lease: Lease) -> None:
        """Say that its worker doesn't hold the lease. One that the worker has got since is another."""
        await self._run("disclaim", lease, self.limits.answer_ttl)

    async def leave(self, worker: str) -> None:
        """Take the worker off the list. Tokens that it could not give back are the reaper's from now on."""
        with translate_errors():
            async with self.store.commands.pipeline(transaction=False) as pipe:
                pipe.delete(keys.worker_key(worker), keys.stops_key(worker))
                pipe.exists(keys.owned_key(worker))
                _, left = await pipe.execute()
            if not left:
                async with self.store.commands.pipeline(transaction=False) as pipe:
                    pipe.delete(keys.own_stream(worker))
                    pipe.srem(keys.workers_key(), worker)
                    await pipe.execute()

    async def list_live_workers(self) -> list[str]:
        """The workers that are alive."""
        return [worker for worker, alive in (await self._workers()).items() if alive]

    async def list_dead_workers(self) -> list[str]:
        """The workers that went silent without leaving."""
        return [worker for worker, alive in (await self._workers()).items() if not alive]

    async def _workers(self) -> dict[str, bool]:
        """Every worker that has not left, and whether it is alive."""
        with translate_errors():
            members: Any = await self.store.commands.smembers(keys.workers_key())
            workers = sorted(worker.decode() for worker in members)
            async with self.store.commands.pipeline(transaction=False) as pipe:
                for worker in workers:
                    pipe.exists(keys.worker_key(worker))
                alive = await pipe.execute()
        return {worker: bool(there) for worker, there in zip(workers, alive, strict=True)}

    async def reap(self, worker: str, dead: str) -> int:
        """Take over a batch of a dead worker's tokens, in the name of `worker`.

        How many are left; -1 if that worker lives, or `worker` has not beaten for long enough to judge.
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

    async def claim(self, worker: str, entry: ScheduleEntry) -> ClaimedJob | Literal["nothing", "wait"]:
        """Take the token and its next job, or nothing, or learn that the owner's fate isn't known yet.

        After StoreUnavailableError claim the same entry again: what was claimed meanwhile comes back.
        """
        reply = await self.store.run(
            "claim",
            keys.token_key(entry.token),
            keys.prefix(keys.shard_of(entry.token)),
            entry.token,
            worker,
            f"claim:{worker}:{entry.stream}:{entry.id}:{entry.reading}",
            entry.stream,
            keys.GROUP,
            entry.id,
            self.limits.answer_ttl,
        )
        claimed = msgspec.json.decode(reply, type=_Claimed)
        if claimed.status != "claimed":
            return claimed.status
        session = None if claimed.session is None else claimed.session.encode()
        lease = Lease(entry.token, worker, claimed.fence)
        task = ClaimedJob(lease, claimed.job, _UNREAD, session, claimed.sent, claimed.reset, claimed.waited / 1000)
        return await self._read(task, claimed.work) or "nothing"

    async def _read(self, task: ClaimedJob, work: str) -> ClaimedJob | None:
        """The task with its work. Work that this version can't read ends as failed, and the token is released."""
        try:
            return replace(task, work=decode_work(work.encode()))
        except BadMessageError:
            return await self.finish(task, "FAILED", _UNREADABLE, task.session, takes_more=False)

    async def mark_sent(self, task: ClaimedJob, attempt: int, sent: int, *, fresh: bool) -> None:
        """Mark the job as sent, just before it is, for the `attempt`-th time.

        `sent` counts the conversation's questions with this one. LeaseLostError or AnswerEndedError when the question
        must not be sent.
        """
        arguments = self._encode_arguments(
            task, op=_mark(task, attempt), sent=sent, fresh=fresh, answer_ttl=self.limits.answer_ttl
        )
        reply = await self._run_for(task.lease, "mark_sent", arguments)
        _raise_unless(reply, b"sent")

    async def record_refusal(self, task: ClaimedJob, attempt: int) -> None:
        """The upstream refused the `attempt`-th sending: another is allowed. LeaseLostError, AnswerEndedError."""
        _raise_unless(await self._run("refused", task.lease, task.answer, _mark(task, attempt)), b"claimed")

    async def record_wait(self, task: ClaimedJob, seconds: float) -> None:
        """Note that the job waits for an account, which returns in so many seconds. LeaseLostError."""
        _raise_unless(await self._run("waits", task.lease, task.answer, math.ceil(seconds * 1000)), b"noted")

    def append(self, task: ClaimedJob, seq: int, event: Event) -> "asyncio.Future[None]":
        """Add the event that must get `seq`: begun at once, and together with all others of this turn of the loop.

        LeaseLostError, AnswerEndedError, StateLostError.
        """
        lease = task.lease
        return self.store.start(
            "append",
            keys.job_key(task.answer),
            keys.prefix(keys.shard_of(lease.token)),
            lease.token,
            lease.worker,
            lease.fence,
            task.answer,
            seq,
            encode(event),
            self.limits.session_ttl,
            read=_appended,
        )

    async def finish(
        self,
        task: ClaimedJob,
        state: State,
        event: Final | Failed,
        session: bytes | None,
        *,
        takes_more: bool,
        forget: bool = False,
        sent: int | None = None,
        seq: int = 0,
        said: tuple[HistoryMessage, ...] = (),
        begins: bool = False,
        spent: bool = True,
    ) -> ClaimedJob | None:
        """End a turn: the terminal event, the session to save (None drops it).

        `sent` counts the questions sent in that session's conversation, where the last mark was for another one; `seq`
        is the last event that the worker knows of, should Redis have lost it. `said` is added to the transcript of a
        session that is kept; `begins` forgets what was there before. `spent`: the question may have been answered.

        The token's next job under the same lease comes back, or None when the token has none or was released
        (`takes_more` False). `forget` keeps the token only as long as the answer. LeaseLostError. After
        StoreUnavailableError finish again: what was done meanwhile counts, and its next job comes back.
        """
        arguments = self._encode_arguments(
            task,
            op=f"finish:{task.lease.fence}:{task.answer}",
            state=state,
            takes_more=takes_more,
            session_ttl=self.limits.answer_ttl if forget else self.limits.session_ttl,
            answer_ttl=self.limits.answer_ttl,
            sent=sent,
            seq=seq,
            begins=begins,
            transcript_limit=_TRANSCRIPT,
            reports_reset=isinstance(event, Final) or event.reset,
            spent=spent,
        )
        exchange = msgspec.json.encode(said) if said else b""
        reply = await self._run_for(task.lease, "finish", arguments, encode(event), session or b"", exchange)
        finished = msgspec.json.decode(reply, type=_Finished)
        if finished.status == "stale":
            raise LeaseLostError("stale fence")
        if finished.status != "next":
            return None
        kept, waited = session if finished.kept else None, finished.waited / 1000
        following = ClaimedJob(task.lease, finished.job, _UNREAD, kept, finished.sent, waited=waited)
        return await self._read(following, finished.work)

    async def release(self, lease: Lease) -> bool:
        """Give the token back; False if a question is out. LeaseLostError when it was lost already."""
        reply = await self._run("release", lease, f"release:{lease.fence}:{secrets.token_hex(8)}")
        if reply == b"stale":
            raise LeaseLostError("stale fence")
        return bool(reply == b"released")

    async def read_transcript(self, token: str) -> Transcript:
        """What was said in the token's conversation."""
        with translate_errors():
            async with self.store.commands.pipeline(transaction=True) as pipe:
                pipe.lrange(keys.transcript_key(token), 0, -1)
                pipe.hexists(keys.token_key(token), "cut")
                said, cut = await pipe.execute()
        turns = [msgspec.json.decode(turn, type=tuple[HistoryMessage, ...]) for turn in said]
        return Transcript(tuple(chain.from_iterable(turns)), not cut)

    async def end(self, token: str) -> None:
        """Forget the token, after its running turn; jobs that wait are dropped unspent."""
        await self.store.run(
            "end_session",
            keys.token_key(token),
            keys.prefix(keys.shard_of(token)),
            token,
            self.limits.answer_ttl,
        )

    async def _run(self, script: str, lease: Lease, *args: str | bytes | int) -> bytes:
        return await self._run_for(lease, script, lease.token, lease.worker, lease.fence, *args)

    async def _run_for(self, lease: Lease, script: str, *args: str | bytes | int) -> bytes:
        key, prefix = keys.token_key(lease.token), keys.prefix(keys.shard_of(lease.token))
        reply: bytes = await self.store.run(script, key, prefix, *args)
        return reply

    @staticmethod
    def _encode_arguments(task: ClaimedJob, **arguments: Any) -> bytes:
        lease = task.lease
        return encode_arguments(
            token=lease.token, worker=lease.worker, fence=str(lease.fence), job=task.answer, **arguments
        )


def _mark(task: ClaimedJob, attempt: int) -> str:
    """The op id of one sending."""
    return f"sent:{task.lease.fence}:{task.answer}:{attempt}"


def _raise_unless(reply: bytes, wanted: bytes) -> None:
    if reply == wanted:
        return
    if reply == b"ended":
        raise AnswerEndedError("the answer has ended")
    raise LeaseLostError("stale fence")


def _appended(reply: int) -> None:
    if reply == -1:
        raise LeaseLostError("stale fence")
    if reply == -2:
        raise AnswerEndedError("the answer has ended")
    if reply == -3:
        raise StateLostError("the answer's events are lost in Redis")
