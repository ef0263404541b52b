"""The answers that a worker has ended recently: a Redis that restarts may have lost their ends."""

from collections import deque
from dataclasses import dataclass

from wire.sessions import TurnEnd
from worker.turns.recent_events import RecentEvents

_MOST_ANSWERS = 10_000
# What is kept of their events, ends and sessions, in bytes.
_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Ending:
    """How an answer has ended: its end, the events ahead of it, and how many questions its conversation has."""

    end: TurnEnd
    recent: RecentEvents
    question_count: int

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return self.end.size + self.recent.size


@dataclass(slots=True)
class EndedAnswer:
    """An answer that ended with its event `seq`, at the loop time `at`; without `ending` it can't be written again."""

    token: str
    answer: str
    seq: int
    at: float
    ending: Ending | None


class EndedAnswers:
    """The last ones, and of the last of them, as many as there is room for, how they have ended."""

    def __init__(self) -> None:
        self._answers: deque[EndedAnswer] = deque()
        self._whole: deque[tuple[EndedAnswer, Ending]] = deque()
        self._size = 0

    def add(self, ended: EndedAnswer) -> None:
        """Keep an answer that has just ended."""
        self._answers.append(ended)
        if len(self._answers) > _MOST_ANSWERS:
            self._answers.popleft()
        if ended.ending is not None:
            self._whole.append((ended, ended.ending))
            self._size += ended.ending.size
        while self._size > _MOST_BYTES or len(self._whole) > _MOST_ANSWERS:
            self._shed()

    def _shed(self) -> None:
        """Keep of one more answer only that it has ended."""
        oldest, ending = self._whole.popleft()
        oldest.ending = None
        self._size -= ending.size

    def since(self, at: float) -> list[EndedAnswer]:
        """Return those that have ended since, the oldest first."""
        return [ended for ended in self._answers if ended.at >= at]

    def forget_before(self, at: float) -> None:
        """Forget those that ended before, since Redis is sure to have them."""
        while self._answers and self._answers[0].at < at:
            self._answers.popleft()
        while self._whole and self._whole[0][0].at < at:
            self._shed()
