"""Server-sent events, read line by line."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass
class EventStream:
    """Reads events as EventSource does. `last_id` is the last id there was, '' if none."""

    last_id: str = ""
    _data: list[bytes] = field(default_factory=list)

    def events(self, body: BinaryIO) -> Iterator[bytes]:
        """Yield the data of each event when it is complete; what is cut off is left out. Lines end with a line feed."""
        self._data.clear()
        event_id = self.last_id
        while line := body.readline():
            name, _, value = line.rstrip(b"\n").partition(b":")
            value = value.removeprefix(b" ")
            if name == b"id":
                event_id = value.decode()
            elif name == b"data":
                self._data.append(value)
            elif line == b"\n":
                # An id counts from the end of its event on.
                self.last_id = event_id
                if self._data:
                    data = b"\n".join(self._data)
                    self._data.clear()
                    yield data
