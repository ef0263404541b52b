"""One question and its answer, at the load client."""

import asyncio
import json
import re
import time

from bench.sse import Response
from bench.verdict import LAST, STAMP, judge

_RETRY_AFTER = re.compile(rb"^retry-after: *(\d+)\r?$", re.IGNORECASE | re.MULTILINE)
_ANSWER = re.compile(rb"^x-answer-id: *(\S+)\r?$", re.IGNORECASE | re.MULTILINE)
_DATA = b"data: "
_FIRST_BYTES = 4096


class Stream(asyncio.Protocol):
    """Notes what comes and when; all that can wait until the answer is over does.

    `answer` becomes the answer's id, '' for a question that got none. `arrivals` has (nanoseconds of Unix time,
    nanoseconds since they were due) of each event's pieces; `first` is how long the first piece took, in nanoseconds.
    """

    def __init__(self, ended: "asyncio.Future[None]") -> None:
        self.ended = ended
        self.answer: asyncio.Future[str] = ended.get_loop().create_future()
        self.asked = time.time_ns()
        self.first: int | None = None
        self.arrivals: list[tuple[int, list[int]]] = []
        self._head = b""
        self._response = Response()
        self._events: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        now = time.time_ns()
        if len(self._head) < _FIRST_BYTES:
            self._head += data[:_FIRST_BYTES]
            if not self.answer.done() and (found := _ANSWER.search(self._head)):
                self.answer.set_result(found[1].decode())
        for whole in self._response.feed(data):
            # Before the data there may be an id; an event may be a ping.
            _, data_there, told = whole.partition(_DATA)
            if not data_there:
                continue
            event = data_there + told
            self._events.append(event)
            if LAST not in event and (stamps := STAMP.findall(event)):
                # What was due before somebody asked for it is history, not late.
                if self.first is None:
                    self.first = now - self.asked
                if late := [now - due for due in map(int, stamps) if due >= self.asked]:
                    self.arrivals.append((now, late))

    def connection_lost(self, exc: Exception | None) -> None:
        """The answer is over, whatever the reason."""
        del exc
        if not self.answer.done():
            self.answer.set_result("")
        if not self.ended.done():
            self.ended.set_result(None)

    @property
    def sent_back(self) -> bool:
        """Whether it was ended before any data, as an EventSource is that shall come back."""
        return self.ended.done() and self._response.status == 200 and not self._events

    def refusal(self) -> str | None:
        """Status, code and Retry-After of a question that was refused for want of room; None if it was not."""
        if self._response.status != 503:
            return None
        after = _RETRY_AFTER.search(self._head.partition(b"\r\n\r\n")[0])
        try:
            code = json.loads(self._response.rest)["code"]
        except (ValueError, KeyError):
            code = "none"
        return f"503, code {code}, {'Retry-After' if after else 'no Retry-After'}"

    def verdict(self, pieces: int) -> str:
        """See judge."""
        return judge(self._response.status, self._events, self._response.rest, pieces)
