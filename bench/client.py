"""The load client, a process of its own: `python -m bench.client` reads a plan from stdin and asks.

On stdout it says `full` when every stream has its first delta, `ebbing` when the first of them ends, and at the end the
outcome as JSON. Between the first two lies the window in which everything is measured.
"""

import asyncio
import itertools
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable
from typing import cast

import msgspec
import uvloop

from bench.question import Question
from bench.spread import Spread, spread
from bench.transports import SSE, TRANSPORTS
from bench.verdict import COMPLETE, STAMP, UNFINISHED

# How long a stream is still read after its last event, in seconds: nothing more may come.
_AFTER = 0.05
FULL = "full"
EBBING = "ebbing"


class Plan(msgspec.Struct, frozen=True):
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

    @property
    def question(self) -> Question:
        """The same for every stream."""
        return Question(self.deltas, self.rate)


class Window(msgspec.Struct, frozen=True):
    """What arrived while all streams were open: pieces, the events that carried them, pieces' delays."""

    seconds: float
    streams: int
    deltas: int
    events: int
    delay_ms: Spread | None


class Outcome(msgspec.Struct, frozen=True):
    """What became of the answers, and the window; None when there was no moment with all streams open.

    asked = complete + incorrect + unfinished. `wrong` counts the incorrect ones by what is wrong with them.
    """

    asked: int
    complete: int
    incorrect: int
    unfinished: int
    wrong: dict[str, int]
    first_delta_ms: Spread | None
    window: Window | None


class Load:
    """The streams of one round together. `tell` is called with FULL and with EBBING."""

    def __init__(self, plan: Plan, tell: Callable[[str], None]) -> None:
        self.plan = plan
        self._tell = tell
        self._awaited = plan.streams
        self._open = 0
        self._began = 0
        self._ended = 0
        self._width = 0
        self._delays = array("q")
        self._events = 0

    def arrived(self, now: int, stamps: list[bytes], *, first: bool) -> None:
        """An event with pieces came."""
        if first:
            self._open += 1
            self._settle()
        if self._began and not self._ended:
            self._events += 1
            self._delays.extend([now - int(stamp) for stamp in stamps])

    def left(self, *, opened: bool) -> None:
        """A stream is over; `opened` if it ever had a delta."""
        if not opened:
            self._settle()
            return
        if self._began and not self._ended:
            self._ended = time.monotonic_ns()
            self._width = self._open
            self._tell(EBBING)
        self._open -= 1

    def _settle(self) -> None:
        """One stream less to wait for until the window opens, which it does only while some stream is open."""
        self._awaited -= 1
        if self._awaited == 0 and self._open:
            self._began = time.monotonic_ns()
            self._tell(FULL)

    def window(self) -> Window | None:
        """The window, once it is over."""
        if not self._ended:
            return None
        seconds = (self._ended - self._began) / 1e9
        return Window(seconds, self._width, len(self._delays), self._events, spread(self._delays))


class Stream(asyncio.Protocol):
    """One question and its answer. What can wait until all is over isn't done while it runs."""

    def __init__(self, load: Load, ended: "asyncio.Future[None]") -> None:
        self._load = load
        self._by = TRANSPORTS[load.plan.transport]
        self._then = self._by.then(load.plan.question)
        self.ended = ended
        self._asked = time.time_ns()
        self._response = self._by.reading()
        self._events: list[bytes] = []
        self._over = False
        self._transport: asyncio.Transport | None = None
        self.first: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        # Not checked: uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._by.request(self._load.plan.question))

    def data_received(self, data: bytes) -> None:
        """Note what came and when."""
        now = time.time_ns()
        for event in self._response.feed(data):
            self._events.append(event)
            if self._by.last in event:
                self._leave()
            elif stamps := STAMP.findall(event):
                first = self.first is None
                if first:
                    self.first = now - self._asked
                self._load.arrived(now, stamps, first=first)
        if self._then and self._response.status and self._transport is not None:
            self._transport.write(self._then)
            self._then = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """The answer is over, whatever the reason."""
        del exc
        self._leave()
        self._end()

    def _leave(self) -> None:
        if not self._over:
            self._over = True
            self._load.left(opened=self.first is not None)
        if not self.ended.done():
            # A socket stays open after its answer, and a response may have a little more to say.
            asyncio.get_running_loop().call_later(_AFTER, self._end)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def verdict(self) -> str:
        """COMPLETE, UNFINISHED, or a few words on what is wrong."""
        return self._by.judge(self._response.status, self._events, self._response.rest, self._load.plan.deltas)


async def run(plan: Plan, tell: Callable[[str], None]) -> Outcome:
    """Ask all questions and wait for the ends, within the plan's limit."""
    load = Load(plan, tell)
    streams: list[Stream] = []
    failures: Counter[str] = Counter()

    async def ask(number: int, port: int) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(plan.opening * number / plan.streams)
        stream = Stream(load, loop.create_future())
        try:
            transport, _ = await loop.create_connection(lambda: stream, "127.0.0.1", port)
        except OSError as error:
            failures[f"no connection: {error.strerror}"] += 1
            load.left(opened=False)
            return
        streams.append(stream)
        try:
            await stream.ended
        finally:
            transport.abort()

    try:
        async with asyncio.timeout(plan.limit), asyncio.TaskGroup() as tasks:
            for number, port in zip(range(plan.streams), itertools.cycle(plan.ports), strict=False):
                tasks.create_task(ask(number, port))
    except TimeoutError:
        pass
    return _outcome(plan, streams, failures, load.window())


def _outcome(plan: Plan, streams: list[Stream], failures: Counter[str], window: Window | None) -> Outcome:
    verdicts = failures + Counter(stream.verdict() for stream in streams)
    complete = verdicts.pop(COMPLETE, 0)
    verdicts.pop(UNFINISHED, 0)
    return Outcome(
        asked=plan.streams,
        complete=complete,
        incorrect=verdicts.total(),
        unfinished=plan.streams - complete - verdicts.total(),
        wrong=dict(verdicts),
        first_delta_ms=spread(stream.first for stream in streams if stream.first is not None),
        window=window,
    )


def say(line: str) -> None:
    """Tell the bench a line."""
    print(line, flush=True)


if __name__ == "__main__":
    read = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    say(msgspec.json.encode(uvloop.run(run(read, say))).decode())
