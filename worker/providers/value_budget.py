"""How many JSON values the events of one answer may hold: each costs far more time than the two bytes that it has."""

from wire.json_values import count_values
from wire.reasons import Reason
from worker.errors import UpstreamError

# Values that an event has free of charge: with the probabilities of a token and of twenty others, as many as any.
FREE_VALUES = 200
# Of one event, and of all events of an answer beyond those. A whole answer is one document, with probabilities too.
MOST_OF_EVENT = 20_000
MOST_VALUES = 400_000


class ValueBudget:
    """The values of one answer, of which an event may have `free` ones."""

    def __init__(self, free: int = FREE_VALUES) -> None:
        self._free = free
        self._left = MOST_VALUES

    def charge(self, text: str | bytes, most: int = MOST_OF_EVENT) -> None:
        """Charge a JSON text before it is parsed.

        UpstreamError `transport.toobig` if it has more than `most` values, or more than are left.
        """
        # There are at most as many; nearly all events have few.
        if _count_marks(text) < self._free:
            return
        most = min(most, self._left + self._free)
        values = count_values(text if isinstance(text, bytes) else text.encode(errors="replace"), most)
        if values > most:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "events of very many values")
        self._left -= max(0, values - self._free)


def _count_marks(text: str | bytes) -> int:
    if isinstance(text, bytes):
        return text.count(b",") + text.count(b"{") + text.count(b"[")
    return text.count(",") + text.count("{") + text.count("[")
