"""Parse server-sent events from the bytes of a response."""

import re
from collections.abc import Iterator

import msgspec

from wire.reasons import Reason
from worker.errors import UpstreamError

# The limit of one event, in bytes; real ones are far smaller.
MAX_EVENT = 4 * 1024 * 1024

_LINE_END = re.compile(rb"[\r\n]")
BOM = b"\xef\xbb\xbf"


class EventParser:
    """An incremental parser of events. Comments, ids and other fields than `data` are ignored.

    Only the name `error` counts: such an event's data is yielded inside an object under `error`.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._name = b""
        self._data: list[str] = []
        self._size = 0
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the data of the events that end in `chunk`. UpstreamError if one exceeds the limit."""
        self._size += len(chunk)
        self._pieces.append(chunk)
        # Joined only at a line's end: otherwise a long line that arrives byte by byte would take quadratic time.
        if _LINE_END.search(chunk):
            yield from self._events()
        if self._size > MAX_EVENT:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an event without an end")

    def end(self) -> Iterator[str]:
        """Yield the data of an event that ends with the response."""
        return self.feed(b"\n\n")

    def _events(self) -> Iterator[str]:
        for line in self._lines():
            if line:
                name, _, value = line.partition(b":")
                # Some servers indent lines, or write names in capitals.
                match name.strip().lower():
                    case b"data":
                        self._data.append(value.removeprefix(b" ").decode(errors="replace"))
                    case b"event":
                        self._name = value.strip().lower()
                continue
            data, self._data = "\n".join(self._data), []
            name, self._name = self._name, b""
            self._size = sum(map(len, self._pieces))
            if data:
                yield _wrap_error(data) if name == b"error" else data

    def _lines(self) -> list[bytes]:
        """Return the complete lines without their ends; keep the rest."""
        held = b"".join(self._pieces)
        if not self._begun:
            held = held.removeprefix(BOM)
        self._begun = True
        # For bytes the line ends are CR LF, LF and CR only.
        lines = held.splitlines(keepends=True)
        # The LF of a CR at the end may still arrive.
        complete = not held.endswith(b"\r") and held.endswith(b"\n")
        self._pieces = [] if complete else [lines.pop()]
        return [line.rstrip(b"\r\n") for line in lines]


def _wrap_error(data: str) -> str:
    """Return the data of an `error` event as an object that has the error inside, whatever the server sends there."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = data
    if isinstance(value, dict) and value.get("error"):
        return data
    return msgspec.json.encode({"error": value or data}).decode()
