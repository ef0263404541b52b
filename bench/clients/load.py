"""One round as the load client sees it: its plan, what arrives meanwhile, and the outcome."""

import time
from array import array
from collections.abc import Callable

import msgspec

from bench.clients.spread import Spread, spread
from bench.clients.transports import SSE, USUAL_TARGET, CompletionsTarget
from bench.question import Question

# The lines a client sends when every stream has its first delta, and when the first of them ends.
FULL = "full"
EBBING = "ebbing"


class LoadPlan(msgspec.Struct, frozen=True):
    """One round: `streams` questions for answers of `deltas` pieces at `rate` a second, spread over the ports.

    They are opened evenly over `opening` seconds; after `limit` seconds the client gives up on what isn't over.
    """

    ports: list[int]
    streams: int
    deltas: int
    rate: float
    opening: float
    limit: float
    transport: str = SSE
    target: CompletionsTarget = USUAL_TARGET

    @property
    def question(self) -> Question:
        """The same for every stream."""
        return Question(self.deltas, self.rate)


class Window(msgspec.Struct, frozen=True):
    """What arrived while all streams were open: pieces, the events that carried them, and the pieces' delays."""

    seconds: float
    streams: int
    deltas: int
    events: int
    delay_ms: Spread | None


class LoadOutcome(msgspec.Struct, frozen=True):
    """What became of the answers, and the window; None when there was no moment with all streams open.

    asked = complete + incorrect + unfinished. `wrong` counts the incorrect ones by what is wrong with them.
    `deltas`: the pieces that arrived, inside the window or not.
    """

    asked: int
    complete: int
    incorrect: int
    unfinished: int
    wrong: dict[str, int]
    first_delta_ms: Spread | None
    deltas: int
    window: Window | None


class LoadRecorder:
    """Records all streams of one round. `notify` is called with FULL and with EBBING."""

    def __init__(self, plan: LoadPlan, notify: Callable[[str], None]) -> None:
        self.plan = plan
        self.deltas = 0
        self._notify = notify
        self._awaited = plan.streams
        self._open = 0
        self._began = 0
        self._ended = 0
        self._width = 0
        self._delays = array("q")
        self._events = 0

    def record_event(self, now: int, stamps: list[bytes], *, first: bool) -> None:
        """Count an event's pieces, and their delays while the window is open."""
        if first:
            self._open += 1
            self._settle()
        self.deltas += len(stamps)
        if self._began and not self._ended:
            self._events += 1
            self._delays.extend([now - int(stamp) for stamp in stamps])

    def record_end(self, *, opened: bool) -> None:
        """Close the window at the first end; `opened` if the stream ever had a delta."""
        if not opened:
            self._settle()
            return
        if self._began and not self._ended:
            self._ended = time.monotonic_ns()
            self._width = self._open
            self._notify(EBBING)
        self._open -= 1

    def _settle(self) -> None:
        """Await one stream less; without any left the window opens, but only while some stream is open."""
        self._awaited -= 1
        if self._awaited == 0 and self._open:
            self._began = time.monotonic_ns()
            self._notify(FULL)

    def window(self) -> Window | None:
        """Return the window once it is over."""
        if not self._ended:
            return None
        seconds = (self._ended - self._began) / 1e9
        return Window(seconds, self._width, len(self._delays), self._events, spread(self._delays))
