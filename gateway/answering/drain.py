"""The requests that wait for an answer in this process, each with a deadline, and the drain of all of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import structlog
from starlette.types import Receive

from gateway.errors import ClientGoneError, DeadlineError, DrainingError, TurnEndedError

# One timer serves all requests: a request that exceeds its deadline may be ended this much later, in seconds.
_TIMER_RESOLUTION = 1.0
_LOG = structlog.get_logger()


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` in a task that is cancelled when the body ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(outcome, Exception):
            _LOG.error("background task failed", exc_info=outcome)


class WatchedResponse(Protocol):
    """The server's side of a request, whose `receive` is its own; it calls when its client leaves before the end."""

    more_body: bool
    disconnected: bool
    on_disconnect: Callable[[], None] | None


def _find_response(receive: Receive) -> WatchedResponse | None:
    """Return whose `receive` it is, if that calls; None also while a body is still to be read."""
    response: Any = getattr(receive, "__self__", None)
    return response if hasattr(response, "on_disconnect") and not response.more_body else None


class ActiveRequest:
    """The deadline of one answer; see ActiveRequests. Its body raises the error that `abort` was called with."""

    __slots__ = (
        "_accepted",
        "_active",
        "_cause",
        "_on_hang_up",
        "_open",
        "_receive",
        "_response",
        "_seconds",
        "_timeout",
        "_watch",
        "deadline",
    )

    def __init__(
        self,
        active: "ActiveRequests",
        seconds: float,
        accepted: bool,
        receive: Receive | None,
        on_hang_up: Callable[[], None] | None,
    ) -> None:
        self._active = active
        self._seconds = seconds
        self._accepted = accepted
        self._receive = receive
        self._on_hang_up = on_hang_up
        # It has no timer of its own: `abort` reschedules it.
        self._timeout = asyncio.timeout(None)
        self._cause: type[TurnEndedError] = DeadlineError
        self._open = False
        # What notices that the client leaves: the server or, where that can't, a task.
        self._response: WatchedResponse | None = None
        self._watch: asyncio.Task[None] | None = None
        self.deadline = 0.0

    def abort(self, cause: type[TurnEndedError]) -> None:
        """Stop waiting for the answer and raise `cause` in the body; do nothing after its end."""
        if self._open:
            self._open = False
            self._cause = cause
            self._timeout.reschedule(asyncio.get_running_loop().time())

    def hang_up(self) -> None:
        """Abort the request of a client that has gone; do nothing after its end."""
        if self._open and self._on_hang_up is not None:
            self._on_hang_up()
        self.abort(ClientGoneError)

    async def __aenter__(self) -> "ActiveRequest":
        self._active.check_accepting(accepted=self._accepted)
        self.deadline = asyncio.get_running_loop().time() + self._seconds
        await self._timeout.__aenter__()
        self._open = True
        self._active.add(self)
        if self._receive is not None:
            self._watch_client(self._receive)
            self._receive = None
        return self

    def _watch_client(self, receive: Receive) -> None:
        self._response = _find_response(receive)
        if self._response is None:
            self._watch = asyncio.create_task(_abort_on_disconnect(receive, self))
            return
        self._response.on_disconnect = self.hang_up
        if self._response.disconnected:
            asyncio.get_running_loop().call_soon(self.hang_up)

    async def __aexit__(self, *error: Any) -> None:
        self._open = False
        # Each refers to this request: without this both would stay until the next garbage collection.
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._response is not None:
            self._response.on_disconnect = None
            self._response = None
        self._active.remove(self)
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError:
            raise self._cause from None


async def _abort_on_disconnect(receive: Receive, request: ActiveRequest) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    request.hang_up()


class ActiveRequests:
    """All active requests and open sockets of a process: their deadlines, and the drain."""

    def __init__(self, *, timer_resolution: float = _TIMER_RESOLUTION) -> None:
        self._timer_resolution = timer_resolution
        self._running: set[ActiveRequest] = set()
        self._sockets: set[Callable[[], None]] = set()
        self._reading: set[asyncio.Timeout] = set()
        self._draining = asyncio.Event()
        self._drained = asyncio.Event()
        self._closed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def draining(self) -> bool:
        """Whether the process is shutting down."""
        return self._draining.is_set()

    @property
    def running(self) -> int:
        """The number of active requests."""
        return len(self._running)

    def track(
        self,
        seconds: float,
        *,
        accepted: bool = False,
        receive: Receive | None = None,
        on_hang_up: Callable[[], None] | None = None,
    ) -> ActiveRequest:
        """Return a context manager for one request that may take `seconds`.

        `accepted`: an open socket took the question before the drain, so it may still start. With a request's
        `receive`, the body ends when the client disconnects, after `on_hang_up` was called.

        Raises DeadlineError, ClientGoneError, and DrainingError when no request may start, or when the drain ends.
        """
        return ActiveRequest(self, seconds, accepted, receive, on_hang_up)

    def check_accepting(self, *, accepted: bool = False) -> None:
        """Raise DrainingError when no request may start."""
        if self._drained.is_set() or (self.draining and not accepted):
            raise DrainingError

    def add(self, request: ActiveRequest) -> None:
        """Add a request that starts."""
        self._running.add(request)
        if self._timer is None or request.deadline < self._timer.when():
            self._schedule(request.deadline)

    def remove(self, request: ActiveRequest) -> None:
        """Remove a request that has ended."""
        self._running.discard(request)
        self._settle()

    @contextmanager
    def track_socket(self, on_drain: Callable[[], None]) -> Iterator[None]:
        """Track an open socket during the body. A drain calls `on_drain` once and waits for the socket to close."""
        self._sockets.add(on_drain)
        if self.draining:
            on_drain()
        try:
            yield
        finally:
            self._sockets.discard(on_drain)
            self._settle()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[None]:
        """Read a request in the body. Raises DrainingError there when `stop_reading` is called meanwhile."""
        timeout = asyncio.timeout(None)
        self._reading.add(timeout)
        try:
            async with timeout:
                yield
        except TimeoutError:
            if timeout.expired():
                raise DrainingError from None
            raise
        finally:
            self._reading.discard(timeout)

    def stop_reading(self) -> None:
        """End the reading of requests that haven't arrived whole."""
        for timeout in self._reading:
            timeout.reschedule(asyncio.get_running_loop().time())

    def drain(self) -> None:
        """Refuse new requests; those that run, or that a socket has accepted, may end."""
        if not self.draining:
            self._draining.set()
            for on_drain in self._sockets:
                on_drain()
        self._settle()

    def abort(self) -> None:
        """Refuse new requests and end those that run with DrainingError."""
        self.drain()
        self._drained.set()
        for request in self._running:
            request.abort(DrainingError)

    async def wait_drained(self, limit: float) -> None:
        """Wait for a drain to begin, then up to `limit` seconds for the last request and socket, or for `abort`."""
        await self._draining.wait()
        await _wait_up_to(limit, self._drained)

    async def wait_closed(self, limit: float) -> None:
        """Wait up to `limit` seconds until aborted requests and their sockets have sent their last frames."""
        await _wait_up_to(limit, self._closed)

    def _schedule(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._abort_overdue)

    def _abort_overdue(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for request in self._running:
            if request.deadline <= now:
                request.abort(DeadlineError)
        if deadlines := [request.deadline for request in self._running if request.deadline > now]:
            self._schedule(max(min(deadlines), now + self._timer_resolution))

    def _settle(self) -> None:
        if self.draining and not self._running and not self._sockets:
            self._drained.set()
            self._closed.set()


async def _wait_up_to(limit: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await event.wait()
