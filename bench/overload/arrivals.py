"""One stream under overload: when its pieces arrived, its answer's id, and whether it was refused."""

import asyncio
import json
import re
import time

from bench.clients.stream import Stream
from bench.clients.transports import SSE, TRANSPORTS
from bench.clients.verdict import payloads

_RETRY_AFTER = re.compile(rb"^retry-after: *(\d+)\r?$", re.IGNORECASE | re.MULTILINE)
_ANSWER = re.compile(rb"^x-answer-id: *(\S+)\r?$", re.IGNORECASE | re.MULTILINE)
# A delta without text, which may open a stream.
_SIGN = b'"answer": "", "urls": [], "done": false'


class Arrivals:
    """Keeps (nanoseconds of Unix time, nanoseconds since they were due) of each event's pieces."""

    def __init__(self) -> None:
        self.events: list[tuple[int, list[int]]] = []
        self._asked = time.time_ns()

    def record_event(self, now: int, stamps: list[bytes], *, first: bool) -> None:
        """Keep the delays of what was due after the question: what was due before is history, not late."""
        del first
        if delays := [now - due for due in map(int, stamps) if due >= self._asked]:
            self.events.append((now, delays))

    def record_end(self, *, opened: bool) -> None:
        """Keep nothing: the stream itself has its end."""


class OverloadStream(Stream):
    """A stream over SSE that keeps its arrivals. `answer` becomes the answer's id, '' for a question that got none."""

    def __init__(self, request: bytes) -> None:
        self.arrivals = Arrivals()
        super().__init__(TRANSPORTS[SSE], self.arrivals, lambda: request)
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Record what came, and the answer's id with the head."""
        super().data_received(data)
        if not self.answer.done() and (match := _ANSWER.search(self.response.head)):
            self.answer.set_result(match[1].decode())

    def connection_lost(self, exc: Exception | None) -> None:
        """End; without a head there is no answer."""
        super().connection_lost(exc)
        if not self.answer.done():
            self.answer.set_result("")

    @property
    def is_sent_back(self) -> bool:
        """Whether it ended before any text, as for an EventSource that shall reconnect."""
        text = any(_SIGN not in payload for payload in payloads(self.events))
        return self.ended.done() and self.response.status == 200 and not text

    def refusal(self) -> str | None:
        """Return status, code and Retry-After of a question that was refused for lack of room; None if it was not."""
        if self.response.status != 503:
            return None
        try:
            code = json.loads(self.response.rest)["code"]
        except (ValueError, KeyError):
            code = "none"
        header = "Retry-After" if _RETRY_AFTER.search(self.response.head) else "no Retry-After"
        return f"503, code {code}, {header}"
