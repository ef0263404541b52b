"""One request and its streamed answer, as every load client here asks and reads it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, cast

from bench.clients.transports import Transport
from bench.clients.verdict import STAMP

# How long a stream is still read after its last event, in seconds: nothing more may come.
_AFTER = 0.05


class Recorder(Protocol):
    """Records what arrives, with as little work as possible while streams are open."""

    def record_event(self, now: int, stamps: list[bytes], *, first: bool) -> None:
        """Record an event with pieces; `now` in nanoseconds of Unix time, `stamps` as verdict.STAMP finds them."""
        ...

    def record_end(self, *, opened: bool) -> None:
        """Record that a stream has ended; `opened` if it ever had a delta."""
        ...


class Stream(asyncio.Protocol):
    """Records what comes and when; everything that can wait until the answer is over is done then.

    `asked` is its start in nanoseconds of Unix time, `first` how many nanoseconds later the first piece came.
    """

    def __init__(
        self, transport: Transport, recorder: Recorder, request: Callable[[], bytes], message: bytes = b""
    ) -> None:
        self._protocol = transport
        self._recorder = recorder
        self._request = request
        self._message = message
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.first: int | None = None
        self.response = transport.response()
        self.events: list[bytes] = []
        self._left = False
        self._transport: asyncio.Transport | None = None
        self.asked = time.time_ns()

    async def ask(self, port: int) -> None:
        """Connect, send the request and wait for the end. OSError when nothing listens on the port."""
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
        try:
            await self.ended
        finally:
            transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        # Not checked: uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request())

    def data_received(self, data: bytes) -> None:
        """Record what came and when."""
        now = time.time_ns()
        for event in self.response.feed(data):
            self.events.append(event)
            if self._protocol.last in event:
                self._leave()
            elif stamps := STAMP.findall(event):
                first = self.first is None
                if first:
                    self.first = now - self.asked
                self._recorder.record_event(now, stamps, first=first)
        if self._message and self.response.status and self._transport is not None:
            self._transport.write(self._message)
            self._message = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """End, whatever the reason."""
        del exc
        self._leave()
        self._end()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._recorder.record_end(opened=self.first is not None)
        if not self.ended.done():
            # A socket stays open after its answer, and a response may still send its last chunk.
            asyncio.get_running_loop().call_later(_AFTER, self._end)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def verdict(self, pieces: int) -> str:
        """Return COMPLETE, UNFINISHED, or a few words on what is wrong; see verdict.judge."""
        return self._protocol.judge(self.response.status, self.events, self.response.rest, pieces)


async def run_within(limit: float, coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of them at the same time; after `limit` seconds cancel those that are not over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit), asyncio.TaskGroup() as tasks:
            for coroutine in coroutines:
                tasks.create_task(coroutine)
