"""The terminal events that don't depend on an answer: Lua scripts write them too."""

from wire.messages import Failed
from wire.reasons import Reason

INTERRUPTED = Failed(Reason.INTERRUPTED)
INTERRUPTED_ONLY = Failed(Reason.INTERRUPTED, reset=False)
POISON = Failed(Reason.POISON)
CANCELLED = Failed(Reason.CANCELLED, reset=False)
STATE_LOST = Failed(Reason.STATE_LOST)
SESSION_CLOSED = Failed(Reason.SESSION_CLOSED)

# By their names in the scripts.
BY_NAME = {
    "interrupted": INTERRUPTED,
    # Of an answer whose conversation continues.
    "interrupted_only": INTERRUPTED_ONLY,
    "poison": POISON,
    "cancelled": CANCELLED,
    "state_lost": STATE_LOST,
    "session_closed": SESSION_CLOSED,
}
