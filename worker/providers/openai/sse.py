"""Parse server-sent events from the bytes of a response."""

import json
import re
from collections.abc import Iterator

import msgspec

from wire.reasons import Reason
from worker.errors import UpstreamError

# The limit of one event, in bytes; real ones are far smaller.
MAX_EVENT = 4 * 1024 * 1024

# How many bytes of data are read in vain to see whether they are whole, before nothing but an empty line ends an event;
# and as many more for each byte of the events that were whole.
MOST_IN_VAIN = 8 * 1024 * 1024
VAIN_BYTES = 8

_LINE_END = re.compile(rb"[\r\n]")
# Data without its field's name: an object, or the mark of the end.
_BARE = re.compile(rb"\s*(?:\{|\[DONE\]\s*$)")
BOM = b"\xef\xbb\xbf"
# How nearly all events begin and end: whole, on one line, with an object, and perhaps with a name that doesn't count.
_PLAIN_NAME = re.compile(rb"event: (?!error\n)[a-z._]+\n(?=data: )")
_PLAIN_START, _PLAIN_END = b"data: {", b"}\n\n"
# Checks JSON without making objects of it: those are made when the event is read.
_quick = msgspec.json.Decoder(msgspec.Raw)
_forgiving = json.JSONDecoder(strict=False)


class EventParser:
    """An incremental parser of events. Comments, ids and other fields than `data` are ignored.

    Only the name `error` counts: such an event's data is yielded inside an object under `error`.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._name = b""
        # A name behind data: this event's, or the next one's if more data follows.
        self._late_name = b""
        self._data: list[str] = []
        self._size = 0
        # Characters of the data, and of what was no object yet when it was looked at.
        self._length = self._vain = 0
        self._begun = False

    @property
    def held(self) -> int:
        """How many bytes are held of an event that hasn't ended."""
        return self._size

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield the data of the events that end in `chunk`. UpstreamError if one exceeds the limit."""
        self._size += len(chunk)
        self._pieces.append(chunk)
        # Joined only at a line's end: otherwise a long line that arrives byte by byte would take quadratic time.
        if _LINE_END.search(chunk):
            yield from self._events()
        if self._size > MAX_EVENT:
            raise UpstreamError(Reason.TRANSPORT_TOO_BIG, "an event without an end")

    def split_plain(self, chunk: bytes) -> list[bytes] | None:
        """Return the data of the events in `chunk`, in place of `feed`, if nothing but whole plain ones are there."""
        if self._pieces or self._data or self._name or self._late_name or not self._begun:
            return None
        if b"\r" in chunk:
            return None
        found, place = [], 0
        while place < len(chunk):
            if chunk.startswith(b"event", place) and (name := _PLAIN_NAME.match(chunk, place)) is not None:
                place = name.end()
            end = chunk.find(b"\n", place) + len(_PLAIN_END) - 1
            if not (chunk.startswith(_PLAIN_START, place) and chunk.endswith(_PLAIN_END, place, end)):
                return None
            found.append(chunk[place + len(_PLAIN_START) - 1 : end - len(_PLAIN_END) + 1])
            place = end
        return found

    def end(self) -> Iterator[str]:
        """Yield the data of an event that ends with the response."""
        return self.feed(b"\n\n")

    def _events(self) -> Iterator[str]:
        for line in self._lines():
            # Some servers indent lines, write names in capitals, or leave `data:` out.
            name, _, value = (b"data", b":", line) if _BARE.match(line) else line.partition(b":")
            name = name.strip().lower()
            if not line:
                self._name = self._late_name or self._name
                self._late_name = b""
                yield from self._take()
            elif name == b"data":
                # Others put no empty line between events: what is whole ends where the next one begins.
                if self._is_whole():
                    yield from self._take()
                self._data.append(value.removeprefix(b" ").decode(errors="replace"))
                self._length += len(self._data[-1]) + 1
            elif name == b"event" and self._data:
                self._late_name = value.strip().lower()
            elif name == b"event":
                self._name = value.strip().lower()

    def _is_whole(self) -> bool:
        """Return whether the data is an object already, so that no further line belongs to it."""
        if not (self._data and self._data[-1].rstrip().endswith("}")) or self._vain > MOST_IN_VAIN:
            return False
        # Each look reads all of it: without a bound, lines that end like an object would take quadratic time.
        self._vain += self._length
        return _is_json("\n".join(self._data))

    def _take(self) -> Iterator[str]:
        """Yield the data of the event that ends here, if it has any."""
        data, name = "\n".join(self._data), self._name
        self._data, self._name, self._late_name = [], self._late_name, b""
        self._size = sum(map(len, self._pieces))
        self._vain = max(0, self._vain - VAIN_BYTES * self._length)
        self._length = 0
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


def _is_json(text: str) -> bool:
    try:
        _quick.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    else:
        return True
    try:
        _forgiving.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _wrap_error(data: str) -> str:
    """Return the data of an `error` event as an object that has the error inside, whatever the server sends there."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = data
    if isinstance(value, dict) and value.get("error"):
        return data
    return msgspec.json.encode({"error": value or data}).decode()
