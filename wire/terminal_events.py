"""The terminal events that don't depend on an answer: who writes one may be a Lua script by itself."""

from wire.messages import Failed
from wire.reasons import Reason

INTERRUPTED = Failed(Reason.INTERRUPTED)
POISON = Failed(Reason.POISON)
CANCELLED = Failed(Reason.CANCELLED, reset=False)
STATE_LOST = Failed(Reason.STATE_LOST)
SESSION_CLOSED = Failed(Reason.SESSION_CLOSED)

# By the names that the scripts know them by.
BY_NAME = {
    "interrupted": INTERRUPTED,
    "poison": POISON,
    "cancelled": CANCELLED,
    "state_lost": STATE_LOST,
    "session_closed": SESSION_CLOSED,
}
