"""The terminal events that don't depend on an answer: Lua scripts write them too."""

from wire.messages import Failed
from wire.reasons import Reason

# Takes the place of the seconds that a script computes.
TO_BE_MEASURED = 987654321

INTERRUPTED = Failed(Reason.INTERRUPTED)
INTERRUPTED_ONLY = Failed(Reason.INTERRUPTED, reset=False)
POISON = Failed(Reason.POISON)
CANCELLED = Failed(Reason.CANCELLED, reset=False)
STATE_LOST = Failed(Reason.STATE_LOST)
SESSION_CLOSED = Failed(Reason.SESSION_CLOSED)
QUEUE_TIMEOUT = Failed(Reason.QUEUE_TIMEOUT, reset=False, retry_after=TO_BE_MEASURED)

# By their names in the scripts.
BY_NAME = {
    "interrupted": INTERRUPTED,
    # Of an answer whose conversation continues.
    "interrupted_only": INTERRUPTED_ONLY,
    "poison": POISON,
    "cancelled": CANCELLED,
    "state_lost": STATE_LOST,
    "session_closed": SESSION_CLOSED,
    "queue_timeout": QUEUE_TIMEOUT,
}
