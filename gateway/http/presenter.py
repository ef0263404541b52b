"""How answers are told in streams: what a protocol makes of their events."""

from typing import NamedTuple, Protocol

from gateway.answering.relay import Frames
from gateway.errors import UNKNOWN, problem_of
from gateway.legacy import envelope
from wire.messages import Event


class SseFrame(NamedTuple):
    """One event as a client is told it: a line of data, and the event's name if it has one."""

    data: bytes
    name: str = ""


class Presenter(Protocol):
    """How one answer is told to one client. It is over with the answer's end, or when the client has all it wants."""

    @property
    def over(self) -> bool:
        """Whether nothing more will be told."""
        ...

    # Whether the client comes back by itself when this gateway goes down.
    comes_back: bool

    def opening(self, first: Event | None) -> list[SseFrame]:
        """What stands before the answer. `first` is its first event, if there is one yet.

        Whatever is raised is told instead of a stream.
        """
        ...

    async def of(self, event: Event) -> list[SseFrame]:
        """What `event` makes."""
        ...

    def broken_off(self, error: Exception) -> list[SseFrame]:
        """What is told when the answer can't be followed any more."""
        ...


class DeltaEvents:
    """Tells an answer in the frames of the old protocol."""

    __slots__ = ("_frames", "comes_back")

    def __init__(self, token: str, *, comes_back: bool) -> None:
        self._frames = Frames(token)
        self.comes_back = comes_back

    @property
    def over(self) -> bool:
        """See Telling."""
        return self._frames.ended

    def opening(self, _: Event | None) -> list[SseFrame]:
        """Nothing."""
        return []

    async def of(self, event: Event) -> list[SseFrame]:
        """The frames that `event` makes."""
        return [SseFrame(made) for made in self._frames.of(event)]

    def broken_off(self, error: Exception) -> list[SseFrame]:
        """One frame."""
        problem = problem_of(error) or UNKNOWN
        return [SseFrame(envelope.error(problem.code, problem.message))]
