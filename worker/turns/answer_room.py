"""Room in Redis for one answer, which is counted for its client while it grows."""

from contextlib import suppress

from wire.errors import StoreUnavailableError
from wire.sessions import ClaimedJob, Sessions

# Bytes of an answer for whose log and end there is room since its question was accepted.
_ACCEPTED = 32 * 1024


class AnswerRoom:
    """What is counted of an answer. `is_refused`: its client leaves others no room for what it would take."""

    def __init__(self, sessions: Sessions, job: ClaimedJob) -> None:
        self._sessions = sessions
        self._job = job
        self._room = _ACCEPTED
        self.is_refused = False

    def holds(self, size: int) -> bool:
        """Return whether `size` bytes need no more room than there is, or could not get."""
        return size <= self._room or self.is_refused

    async def widen(self, size: int) -> None:
        """Make room for an answer of `size` bytes, and for as many again. While Redis is away it does nothing."""
        with suppress(StoreUnavailableError):
            # Its log, and its end.
            self.is_refused = not await self._sessions.count_growth(self._job.answer, 2 * 2 * size)
            self._room = 2 * size
