"""The last events of one answer, as Redis has confirmed them: one that restarts may have lost its last second.

They are appended again then, under the same seqs and byte for byte, so that the answer continues where its readers are.
"""

from collections import deque

# Seconds that a Redis which restarts with its append-only file may lose: the file is synced each second, at best.
LOST_SECONDS = 5.0
# What is kept of one answer, and in bytes of all that a worker has out at once.
MOST_EVENTS = 1024
MOST_BYTES = 64 * 1024
MOST_BYTES_OF_ALL = 32 * 1024 * 1024
# After how many seconds it is looked again which events are too old: doing so for each would cost as much as the rest.
_LOOK = 1.0


class RecentEvents:
    """The events of the last LOST_SECONDS or a little more, MOST_EVENTS and `most_bytes` at most.

    `last` is the seq of the newest, and `size` the bytes of all.
    """

    __slots__ = ("_events", "_looks", "_most_bytes", "_next_look", "last", "size")

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.last = self.size = 0
        self._most_bytes = most_bytes
        self._events: deque[bytes] = deque()
        # When it was looked, and the last event then.
        self._looks: deque[tuple[float, int]] = deque()
        self._next_look = float("-inf")

    @property
    def first(self) -> int:
        """The seq of the oldest event that is kept; that of the next one if none is."""
        return self.last + 1 - len(self._events)

    def add(self, event: bytes, at: float) -> None:
        """Keep the event that follows `last`, which Redis has confirmed at the loop time `at`."""
        self.last += 1
        self.size += len(event)
        self._events.append(event)
        if at >= self._next_look:
            self._forget_old(at)
        if self.size > self._most_bytes or len(self._events) > MOST_EVENTS:
            self._shed()

    def _forget_old(self, at: float) -> None:
        while self._looks and self._looks[0][0] < at - LOST_SECONDS:
            _, last = self._looks.popleft()
            while self.first <= last:
                self._forget_first()
        self._looks.append((at, self.last))
        self._next_look = at + _LOOK

    def _shed(self) -> None:
        while self._events and (self.size > self._most_bytes or len(self._events) > MOST_EVENTS):
            self._forget_first()

    def _forget_first(self) -> None:
        self.size -= len(self._events.popleft())

    def after(self, seq: int) -> list[tuple[int, bytes]]:
        """Return the events behind `seq` that are kept, each with its own seq."""
        return [(number, event) for number, event in enumerate(self._events, self.first) if number > seq]


def share_of(answers: int) -> int:
    """Return how many bytes are kept of one answer where so many may run at once."""
    return min(MOST_BYTES, MOST_BYTES_OF_ALL // answers)
