"""The load client, a process of its own: `python -m bench.client` reads a plan from stdin and asks.

On stdout it says `full` when every stream has its first delta, `ebbing` when the first of them ends, and at the end the
outcome as JSON. Between the first two lies the window in which everything is measured.
"""

import asyncio
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import cast

import msgspec
import uvloop

from bench.load import Load, Outcome, Plan
from bench.spread import spread
from bench.transports import TRANSPORTS
from bench.verdict import COMPLETE, STAMP, UNFINISHED

# How long a stream is still read after its last event, in seconds: nothing more may come.
_AFTER = 0.05


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
    return _outcome(load, streams, failures)


def _outcome(load: Load, streams: list[Stream], failures: Counter[str]) -> Outcome:
    verdicts = failures + Counter(stream.verdict() for stream in streams)
    complete = verdicts.pop(COMPLETE, 0)
    verdicts.pop(UNFINISHED, 0)
    return Outcome(
        asked=load.plan.streams,
        complete=complete,
        incorrect=verdicts.total(),
        unfinished=load.plan.streams - complete - verdicts.total(),
        wrong=dict(verdicts),
        first_delta_ms=spread(stream.first for stream in streams if stream.first is not None),
        deltas=load.deltas,
        window=load.window(),
    )


def say(line: str) -> None:
    """Tell the bench a line."""
    print(line, flush=True)


if __name__ == "__main__":
    read = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    say(msgspec.json.encode(uvloop.run(run(read, say))).decode())
