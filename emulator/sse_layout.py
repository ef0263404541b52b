"""How the events of a stream are laid out in bytes and writes."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class SseLayout:
    """The layout of a stream.

    line_end: what ends a line. space: what follows `data:`. ping: whether a comment comes before each event. batch:
    events in each write. cut: bytes in each write, 0 for whole events.
    """

    line_end: str = "\n"
    space: str = " "
    ping: bool = False
    batch: int = 1
    cut: int = 0

    def event(self, data: str) -> str:
        """Return one event."""
        return (": ping\n\n" if self.ping else "") + f"data:{self.space}{data}\n\n"

    def writes(self, events: list[str]) -> Iterator[bytes]:
        """Yield the bytes of these events, as they are written."""
        data = "".join(events).replace("\n", self.line_end).encode()
        step = self.cut or max(1, len(data))
        for start in range(0, len(data), step):
            yield data[start : start + step]


ORDINARY = SseLayout()
