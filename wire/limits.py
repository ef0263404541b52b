"""The limits that gateways and workers must agree on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Times in seconds.

    session_ttl: how long a token is kept after its last turn. answer_ttl: how long an answer is kept after its end.
    lease_ttl: how long a worker's silence may last. follow_grace: how long a job may wait with nobody waiting for its
    answer. idempotency_ttl: how long an Idempotency-Key stands for its answer.
    queue_limit: how many jobs may wait in all; mailbox_limit: how many of one token; client_limit: how many of one
    client may wait or run.
    """

    session_ttl: int = 6 * 3600
    answer_ttl: int = 600
    lease_ttl: float = 15.0
    follow_grace: float = 30.0
    idempotency_ttl: int = 24 * 3600
    queue_limit: int = 1000
    mailbox_limit: int = 32
    client_limit: int = 500
