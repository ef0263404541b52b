"""Pauses between attempts to reach a server that fails."""

_FIRST = 0.05
_LONGEST = 1.0


class Backoff:
    """The pause after each failure: 50 ms, then twice the one before, up to 1 s; 50 ms again after a quiet time.

    All times are the loop's, in seconds.
    """

    def __init__(self) -> None:
        self._pause = 0.0
        self._until = float("-inf")

    def record_failure(self, now: float) -> None:
        """Begin the next pause. What fails during one, or together with what began it, makes it no longer."""
        if now < self._until:
            return
        self._pause = _FIRST if now > self._until + _LONGEST else min(2 * self._pause, _LONGEST)
        self._until = now + self._pause

    def remaining(self, now: float) -> float:
        """Return how long the pause lasts from now on, 0 if there is none."""
        return max(0.0, self._until - now)

    def clear(self) -> None:
        """End the pause: there is news."""
        self._until = float("-inf")
