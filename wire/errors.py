"""What can go wrong between processes.

WireError
 ├── BadMessageError        bytes that are no message of ours
 ├── StoreUnavailableError  Redis is away, refuses, or is too slow; worth another try later
 │    ├── StoreFullError    there is no room; `retry_after` says when to come back
 │    └── UnconfirmedError  it is written, but on one server only, which may be cut off from all others
 ├── OutdatedWorkerError    a worker runs that can't read such work yet
 ├── TokenUnknownError      the token is not alive
 ├── ConversationMovedError the answer to continue from is not the conversation's last one
 ├── QueueFullError         too much is waiting; `retry_after` says when to come back
 ├── ClientFullError        too much of this one client is waiting or running; `retry_after` likewise
 ├── ClientBytesError       too many bytes of this one client are kept; `retry_after` likewise
 ├── ClientDailyError       this one client has asked as much as it may in a day; `retry_after` likewise
 ├── KeyReusedError         the Idempotency-Key belongs to another question
 ├── KeySpentError          the Idempotency-Key's answer is no longer kept
 ├── AnswerNotFoundError    no such answer of this client's, or no longer kept
 ├── AnswerLostError        the answer's events are incomplete
 ├── LeaseLostError         this worker may not write any more: its fence is stale
 ├── AnswerEndedError       the answer has its terminal event: nothing may be added, nothing sent
 └── StateLostError         Redis lost what it held of this answer
"""

# Seconds after which to retry where Redis itself is full.
_ROOM_LATER = 10


class WireError(Exception):
    """The root; never raised itself."""


class BadMessageError(WireError):
    """Bytes that are no message of ours."""


class StoreUnavailableError(WireError):
    """Redis is away, refuses, or is too slow."""


class StoreFullError(StoreUnavailableError):
    """There is no room in Redis, or for what this question would take of it."""

    def __init__(self, retry_after: int = _ROOM_LATER, cause: str = "there is no room") -> None:
        super().__init__(f"{cause}, come back in {retry_after} s")
        self.retry_after = retry_after


class UnconfirmedError(StoreUnavailableError):
    """What was written is on one server only, although that had a replica: a fail-over would undo it."""


class OutdatedWorkerError(WireError):
    """A worker of the version before is alive, which can't read a prompt."""


class TokenUnknownError(WireError):
    """The token is not alive, or belongs to another key."""


class ConversationMovedError(WireError):
    """The answer to continue from is no longer the last one of its conversation."""


class QueueFullError(WireError):
    """Too much is waiting."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the queue is full, come back in {retry_after} s")
        self.retry_after = retry_after


class ClientFullError(WireError):
    """Too much of this one client is waiting or running."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the client is at its limit, come back in {retry_after} s")
        self.retry_after = retry_after


class ClientBytesError(WireError):
    """Too many bytes of this one client are kept."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the client has too many bytes, come back in {retry_after} s")
        self.retry_after = retry_after


class ClientDailyError(WireError):
    """The client has asked as much as it may in a day."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the client's day is used up, come back in {retry_after} s")
        self.retry_after = retry_after


class KeyReusedError(WireError):
    """The Idempotency-Key belongs to another question."""


class KeySpentError(WireError):
    """The Idempotency-Key's answer is no longer kept."""


class AnswerNotFoundError(WireError):
    """No such answer of this client's, or it is no longer kept."""


class AnswerLostError(WireError):
    """The answer's events end before its terminal one, or some are missing."""


class LeaseLostError(WireError):
    """The worker's right to the token has ended: its writes are refused."""


class AnswerEndedError(WireError):
    """The answer has its terminal event already: it expired, or was stopped."""


class StateLostError(WireError):
    """Redis lost what it held of this answer."""
