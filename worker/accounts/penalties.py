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
class Consequence:
    """What the ledger is told: how the turn ended for the account, why, and for how many seconds it shall pause."""

    outcome: TurnOutcome
    reason: str = ""
    pause: float = 0.0


GOOD = Consequence("ok")
NONE = Consequence("none")


def consequence(error: UpstreamError, *, sent: bool) -> Consequence:
    """What `error` means; `sent` tells a refused question from a refused conversation."""
    reason = error.reason
    if reason == "account.throttled":
        return Consequence("cooling", reason, _DAY if error.retry_after is None else error.retry_after)
    if reason == "account.captcha":
        return Consequence("quarantined", reason)
    if reason == "account.refused":
        # It is asked with each question, and said so of the key or of what it is to be used for.
        return Consequence("dead", reason)
    if reason == "account.unauthorized":
        # A question may be refused for its conversation's sake; if the account is at fault, the next creation tells.
        return Consequence("trouble", reason, _TROUBLE) if sent else Consequence("dead", reason)
    if reason.startswith(_TROUBLES):
        return Consequence("trouble", reason, _TROUBLE)
    if reason in _INTERNALS:
        return Consequence("internal", reason, _INTERNAL)
    return NONE
