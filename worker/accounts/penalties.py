"""What a turn's end means for its account."""

from dataclasses import dataclass

from wire.ledger import TurnOutcome
from worker.errors import UpstreamError

# Seconds. Quotas are by the day, unless the upstream says otherwise.
_DAY = 24 * 3600.0
# The first pauses after trouble on the way, and after errors within the upstream; they grow with each failure in a row.
_TROUBLE = 1.0
_INTERNAL = 10.0

_TROUBLES = ("transport.", "timeout.connect")
_INTERNALS = frozenset({"upstream.internal", "upstream.protocol", "timeout.first"})


@dataclass(frozen=True)
class Penalty:
    """What the ledger is told: how the turn ended for the account, why, and for how many seconds it shall pause."""

    outcome: TurnOutcome
    reason: str = ""
    pause: float = 0.0


SUCCESS = Penalty("ok")
NO_PENALTY = Penalty("none")


def penalty_for(error: UpstreamError, *, sent: bool) -> Penalty:
    """What `error` means; `sent` tells a refused question from a refused conversation."""
    reason = error.reason
    if reason == "account.throttled":
        return Penalty("cooling", reason, _DAY if error.retry_after is None else error.retry_after)
    if reason == "account.captcha":
        return Penalty("quarantined", reason)
    if reason == "account.refused":
        # It is asked with each question, and said so of the key or of what it is to be used for.
        return Penalty("dead", reason)
    if reason == "account.unauthorized":
        # A question may be refused for its conversation's sake; if the account is at fault, the next creation tells.
        return Penalty("trouble", reason, _TROUBLE) if sent else Penalty("dead", reason)
    if reason.startswith(_TROUBLES):
        return Penalty("trouble", reason, _TROUBLE)
    if reason in _INTERNALS:
        return Penalty("internal", reason, _INTERNAL)
    return NO_PENALTY
