"""The limits that gateways and workers must agree on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Times in seconds.

    session_ttl: how long a token is kept after its last turn. answer_ttl: how long an answer is kept after its end.
    lease_ttl: how long a worker's silence may last. queue_limit: how many jobs may wait in all.
    """

    session_ttl: int = 6 * 3600
    answer_ttl: int = 600
    lease_ttl: float = 15.0
    queue_limit: int = 1000
