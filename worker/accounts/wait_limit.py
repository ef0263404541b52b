"""A bound of the turns that wait for one thing, so that they leave slots to the others."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class WaitLimit:
    """At most `total` turns wait at a time, and at most `each` of one client."""

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._waiting: Counter[str] = Counter()

    def admits(self, client: str) -> bool:
        """Return whether another turn of the client may wait."""
        return self._waiting.total() < self._total and self._waiting[client] < self._each

    @contextmanager
    def hold(self, client: str) -> Iterator[None]:
        """Count a turn of the client as waiting."""
        self._waiting[client] += 1
        try:
            yield
        finally:
            self._waiting[client] -= 1
            if not self._waiting[client]:
                del self._waiting[client]
