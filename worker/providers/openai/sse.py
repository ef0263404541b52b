"""Server-sent events, cut out of a response's bytes."""

import re
from collections.abc import Iterator

from worker.errors import UpstreamError

# Bytes of one event, beyond which it is cut off; real ones stay far below.
MAX_EVENT = 4 * 1024 * 1024

_LINE_END = re.compile(rb"[\r\n]")
_BOM = b"\xef\xbb\xbf"


class EventParser:
    """The data of each event, as the bytes come. What isn't data (comments, ids) is passed over."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._data: list[str] = []
        self._size = 0
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The data of the events that end in `chunk`. UpstreamError if one grows beyond all measure."""
        self._size += len(chunk)
        self._pieces.append(chunk)
        # Joined only when there is a line to be had: a long one that comes byte by byte must not cost its square.
        if _LINE_END.search(chunk):
            yield from self._events()
        if self._size > MAX_EVENT:
            raise UpstreamError("transport.toobig", "an event without an end")

    def end(self) -> Iterator[str]:
        """The data of an event that only the end of the response has ended."""
        return self.feed(b"\n\n")

    def _events(self) -> Iterator[str]:
        for line in self._lines():
            if line:
                name, _, value = line.partition(b":")
                if name == b"data":
                    self._data.append(value.removeprefix(b" ").decode(errors="replace"))
                continue
            data, self._data = "\n".join(self._data), []
            self._size = sum(map(len, self._pieces))
            if data:
                yield data

    def _lines(self) -> list[bytes]:
        """The lines that are whole, without their ends; the rest is kept."""
        held = b"".join(self._pieces)
        if not self._begun:
            held = held.removeprefix(_BOM)
        self._begun = True
        # For bytes these are CR LF, LF and CR, and nothing else.
        lines = held.splitlines(keepends=True)
        # After a CR at the very end there may come its LF.
        whole = not held.endswith(b"\r") and held.endswith(b"\n")
        self._pieces = [] if whole else [lines.pop()]
        return [line.rstrip(b"\r\n") for line in lines]
