"""The emulator's own time, which a test can move forward."""

import time


class EmulatorClock:
    """The real time, moved forward as far as tests have asked."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """Return the seconds since 1970, moved by every advance."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        self._offset += seconds

    def reset(self) -> None:
        """Return to the real time."""
        self._offset = 0.0
