"""Jobs on their way into Redis."""

import secrets
import uuid

from wire import keys
from wire.connect import Store
from wire.errors import QueueFullError, TokenUnknownError
from wire.limits import Limits
from wire.messages import Failed, Work, encode

# What a client is told when the queue is full or a job waited too long.
RETRY_AFTER = 5
BUSY = "服务繁忙,请稍后再试"


def new_answer_id() -> str:
    """An unguessable id for an answer; begins with its shard."""
    return f"{keys.SHARD}-{secrets.token_hex(16)}"


def new_token() -> str:
    """A new token."""
    return str(uuid.uuid4())


class Jobs:
    """The gateway's way to hand over work."""

    def __init__(self, store: Store, limits: Limits) -> None:
        self._store = store
        self._limits = limits

    async def submit(self, answer: str, work: Work, token: str, *, create: bool) -> None:
        """Queue a job under an id of the caller's; `create` makes the token if it isn't alive.

        TokenUnknownError, QueueFullError, StoreUnavailableError.
        """
        reply = await self._store.run(
            "enqueue",
            keys.job_key(answer),
            keys.prefix(keys.shard_of(token)),
            answer,
            token,
            encode(work),
            int(create),
            self._limits.session_ttl,
            self._limits.queue_limit,
        )
        if reply == b"unknown":
            raise TokenUnknownError("no such token")
        if reply == b"full":
            raise QueueFullError(RETRY_AFTER)

    async def expire(self, answer: str) -> bool:
        """End a job that still waits with a 503; True if it did. StoreUnavailableError."""
        event = Failed(code=503, message=BUSY, reason="queue.timeout", reset=False, retry_after=RETRY_AFTER)
        reply = await self._store.run(
            "expire",
            keys.job_key(answer),
            keys.prefix(keys.shard_of_answer(answer)),
            answer,
            encode(event),
            self._limits.answer_ttl,
        )
        return bool(reply)
