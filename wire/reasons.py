"""The vocabulary of failures: why a request was refused, or an answer failed.

Workers and scripts write reasons, and no sentence: what a client reads is the gateway's part. A value is never renamed,
since clients, logs and metrics contain it.
"""

from enum import StrEnum


class Reason(StrEnum):
    """All reasons. Those of a failed answer come from a worker or from Redis; the others from the gateway itself."""

    # The request is at fault.
    REQUEST_EMPTY = "request.empty"
    REQUEST_STYLE = "request.style"
    REQUEST_FORMAT = "request.format"
    REQUEST_KEYWORD = "request.keyword"
    REQUEST_UNAUTHORIZED = "request.unauthorized"
    REQUEST_PATH = "request.path"
    REQUEST_METHOD = "request.method"
    REQUEST_SLOW = "request.slow"
    REQUEST_TOO_LARGE = "request.toolarge"
    REQUEST_RATE = "request.rate"
    TOKEN_UNKNOWN = "token.unknown"  # noqa: S105 - not a password
    KEY_LENGTH = "key.length"
    KEY_REUSED = "key.reused"
    KEY_SPENT = "key.spent"
    ANSWER_UNKNOWN = "answer.unknown"
    # There is no room, or not now.
    CLIENT_LIMIT = "client.limit"
    SOCKET_LIMIT = "socket.limit"
    QUEUE_FULL = "queue.full"
    QUEUE_TIMEOUT = "queue.timeout"
    STORE_UNAVAILABLE = "store.unavailable"
    GATEWAY_DRAINING = "gateway.draining"
    # The answer was lost or given up on its way.
    STATE_LOST = "state.lost"
    TIMEOUT_GATEWAY = "timeout.gateway"
    INTERNAL = "internal"
    INTERRUPTED = "interrupted"
    POISON = "poison"
    CANCELLED = "cancelled"
    SESSION_CLOSED = "session.closed"
    JOB_UNREADABLE = "job.unreadable"
    # The upstream failed.
    ACCOUNT_THROTTLED = "account.throttled"
    ACCOUNT_CAPTCHA = "account.captcha"
    ACCOUNT_UNAUTHORIZED = "account.unauthorized"
    ACCOUNT_REFUSED = "account.refused"
    ACCOUNT_NONE = "account.none"
    SESSION_EXPIRED = "session.expired"
    SESSION_TOO_LONG = "session.toolong"
    SESSION_LIMIT = "session.limit"
    SESSION_DISENGAGED = "session.disengaged"
    QUESTION_REFUSED = "question.refused"
    ANSWER_EMPTY = "answer.empty"
    UPSTREAM_INTERNAL = "upstream.internal"
    UPSTREAM_PROTOCOL = "upstream.protocol"
    TRANSPORT_CONNECT = "transport.connect"
    TRANSPORT_UPGRADE = "transport.upgrade"
    TRANSPORT_CLOSED = "transport.closed"
    TRANSPORT_TOO_BIG = "transport.toobig"
    TIMEOUT_CONNECT = "timeout.connect"
    TIMEOUT_FIRST = "timeout.first"
    TIMEOUT_IDLE = "timeout.idle"
    TIMEOUT_TOTAL = "timeout.total"
    IMAGE_NONE = "image.none"
    IMAGE_BLOCKED = "image.blocked"
    IMAGE_REVIEWED = "image.reviewed"
    IMAGE_UNSUPPORTED_LANGUAGE = "image.unsupported_lang"
    IMAGE_BUSY = "image.busy"
    IMAGE_EMPTY = "image.empty"
    IMAGE_BAD = "image.bad"
    IMAGE_TIMEOUT = "image.timeout"
    IMAGE_PROTOCOL = "image.protocol"
