"""Sessions: who may work on a token, and what is saved of its conversation."""

import math
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from wire import keys
from wire.connect import Store, translated
from wire.errors import AnswerEndedError, LeaseLostError, StateLostError
from wire.limits import Limits
from wire.messages import Event, Failed, Work, decode_work, encode

INTERRUPTED = Failed(code=500, message="回答中断,请重新提问", reason="interrupted")
_SESSION_CLOSED = Failed(code=500, message="会话已关闭", reason="session.closed")

State = Literal["DONE", "FAILED", "STOPPED"]


class _Claimed(msgspec.Struct):
    status: Literal["claimed", "nothing", "wait"]
    fence: int = 0
    job: str = ""
    work: str = ""
    session: str | None = None
    sent: int = 0
    reset: bool = False


class _Finished(msgspec.Struct):
    status: Literal["idle", "next", "released", "stale"]
    job: str = ""
    work: str = ""
    sent: int = 0


@dataclass(frozen=True)
class Lease:
    """A worker's right to a token, valid as long as the fence is the token's newest."""

    token: str
    worker: str
    fence: int


@dataclass(frozen=True)
class Task:
    """One job to work on under a lease.

    `session` is the saved conversation, None for a fresh one; `sent` counts the questions sent in it; `reset` says that
    an earlier attempt at this job has replaced the conversation.
    """

    lease: Lease
    answer: str
    work: Work
    session: bytes | None = None
    sent: int = 0
    reset: bool = False


@dataclass(frozen=True)
class Entry:
    """A schedule entry as read from a stream: a hint that the token has work."""

    stream: str
    id: str
    token: str


@dataclass(frozen=True)
class Sessions:
    """Leases and saved sessions, for workers; a token's end, for gateways. All may raise StoreUnavailableError.

    Any call may be repeated: it carries an op id, and the token's hash keeps the last one with its reply.
    """

    store: Store
    limits: Limits = field(default_factory=Limits)

    async def beat(self, worker: str) -> None:
        """Renew the worker's heartbeat, and with it all its leases."""
        await self.store.run("beat", keys.worker_key(worker), keys.prefix(), worker, self._lease_ms)

    async def leave(self, worker: str) -> None:
        """Take the worker off the list; its tokens were released before."""
        with translated():
            async with self.store.commands.pipeline(transaction=False) as pipe:
                pipe.delete(keys.worker_key(worker), keys.own_stream(worker), keys.owned_key(worker))
                pipe.srem(keys.workers_key(), worker)
                await pipe.execute()

    async def live_workers(self) -> list[str]:
        """The workers that are alive."""
        with translated():
            members: Any = await self.store.commands.smembers(keys.workers_key())
            workers = sorted(worker.decode() for worker in members)
            async with self.store.commands.pipeline(transaction=False) as pipe:
                for worker in workers:
                    pipe.exists(keys.worker_key(worker))
                alive = await pipe.execute()
        return [worker for worker, there in zip(workers, alive, strict=True) if there]

    async def claim(self, worker: str, entry: Entry) -> Task | Literal["nothing", "wait"]:
        """Take the token and its next job, or nothing, or learn that the owner's fate isn't known yet.

        After StoreUnavailableError claim the same entry again: what was claimed meanwhile comes back.
        """
        reply = await self.store.run(
            "claim",
            keys.token_key(entry.token),
            keys.prefix(keys.shard_of(entry.token)),
            entry.token,
            worker,
            f"claim:{worker}:{entry.stream}:{entry.id}",
            entry.stream,
            keys.GROUP,
            entry.id,
            self._lease_ms,
            encode(INTERRUPTED),
            self.limits.answer_ttl,
        )
        claimed = msgspec.json.decode(reply, type=_Claimed)
        if claimed.status != "claimed":
            return claimed.status
        session = None if claimed.session is None else claimed.session.encode()
        lease = Lease(entry.token, worker, claimed.fence)
        return Task(lease, claimed.job, decode_work(claimed.work.encode()), session, claimed.sent, claimed.reset)

    async def mark_sent(self, task: Task, attempt: int, sent: int, *, fresh: bool) -> None:
        """Mark the job as sent, just before it is, for the `attempt`-th time.

        `sent` counts the conversation's questions with this one. LeaseLostError or AnswerEndedError when the question
        must not be sent.
        """
        op = f"sent:{task.lease.fence}:{task.answer}:{attempt}"
        reply = await self._run("mark_sent", task.lease, task.answer, op, sent, int(fresh))
        _raise_unless(reply, b"sent")

    async def refused(self, task: Task) -> None:
        """The upstream refused: the question may be sent once more. LeaseLostError, AnswerEndedError if it may not."""
        _raise_unless(await self._run("refused", task.lease, task.answer), b"claimed")

    async def append(self, task: Task, seq: int, event: Event) -> None:
        """Add the event that must get `seq`. LeaseLostError, AnswerEndedError, StateLostError."""
        lease = task.lease
        reply = await self.store.run(
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
        )
        if reply == -1:
            raise LeaseLostError("stale fence")
        if reply == -2:
            raise AnswerEndedError("the answer has ended")
        if reply == -3:
            raise StateLostError(f"answer {task.answer} is behind {seq} in Redis")

    async def finish(
        self, task: Task, state: State, event: Event, session: bytes | None, *, takes_more: bool, forget: bool = False
    ) -> Task | None:
        """End a turn: the terminal event, the session to save (None drops it).

        The token's next job under the same lease comes back, or None when the token has none or was released
        (`takes_more` False). `forget` keeps the token only as long as the answer. LeaseLostError. After
        StoreUnavailableError finish again: what was done meanwhile counts, and its next job comes back.
        """
        reply = await self._run(
            "finish",
            task.lease,
            task.answer,
            f"finish:{task.lease.fence}:{task.answer}",
            state,
            encode(event),
            session or b"",
            int(takes_more),
            self.limits.answer_ttl if forget else self.limits.session_ttl,
            self.limits.answer_ttl,
        )
        finished = msgspec.json.decode(reply, type=_Finished)
        if finished.status == "stale":
            raise LeaseLostError("stale fence")
        if finished.status != "next":
            return None
        return Task(task.lease, finished.job, decode_work(finished.work.encode()), session, finished.sent)

    async def release(self, lease: Lease) -> bool:
        """Give the token back; False if a question is out. LeaseLostError when it was lost already."""
        reply = await self._run("release", lease, f"release:{lease.fence}:{secrets.token_hex(8)}")
        if reply == b"stale":
            raise LeaseLostError("stale fence")
        return bool(reply == b"released")

    async def end(self, token: str) -> None:
        """Forget the token, after its running turn; jobs that wait are dropped unspent."""
        await self.store.run(
            "end_session",
            keys.token_key(token),
            keys.prefix(keys.shard_of(token)),
            token,
            encode(_SESSION_CLOSED),
            self.limits.answer_ttl,
        )

    async def _run(self, script: str, lease: Lease, *args: str | bytes | int) -> bytes:
        key, prefix = keys.token_key(lease.token), keys.prefix(keys.shard_of(lease.token))
        reply: bytes = await self.store.run(script, key, prefix, lease.token, lease.worker, lease.fence, *args)
        return reply

    @property
    def _lease_ms(self) -> int:
        return math.ceil(self.limits.lease_ttl * 1000)


def _raise_unless(reply: bytes, wanted: bytes) -> None:
    if reply == wanted:
        return
    if reply == b"ended":
        raise AnswerEndedError("the answer has ended")
    raise LeaseLostError("stale fence")
