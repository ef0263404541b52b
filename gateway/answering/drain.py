"""The turns that this gateway relays now, each with a limit and an end from outside; and its open sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from starlette.types import Receive

from gateway.errors import ClientGoneError, DeadlineError, DrainingError, TurnEndedError

# How late a turn's end may come when it has taken too long, in seconds: one timer serves all turns.
_LATE = 1.0
_LOG = structlog.get_logger()


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the body, and no longer than it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(outcome, Exception):
            _LOG.error("background task failed", exc_info=outcome)


class ActiveRequest:
    """The time that one answer may take; see Turns. The body gets whatever `end` was called with."""

    __slots__ = ("_cause", "_open", "_promised", "_receive", "_seconds", "_timeout", "_turns", "_watch", "until")

    def __init__(self, turns: "ActiveRequests", seconds: float, promised: bool, receive: Receive | None) -> None:
        self._turns = turns
        self._seconds = seconds
        self._promised = promised
        self._receive = receive
        # Without a timer of its own: it only brings the end that it is told of.
        self._timeout = asyncio.timeout(None)
        self._cause: type[TurnEndedError] = DeadlineError
        self._open = False
        self._watch: asyncio.Task[None] | None = None
        self.until = 0.0

    def end(self, cause: type[TurnEndedError]) -> None:
        """Stop waiting for the answer, for `cause`; nothing happens when it has ended already."""
        if self._open:
            self._open = False
            self._cause = cause
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def __aenter__(self) -> "ActiveRequest":
        self._turns.check(promised=self._promised)
        self.until = asyncio.get_running_loop().time() + self._seconds
        await self._timeout.__aenter__()
        self._open = True
        self._turns.begun(self)
        if self._receive is not None:
            self._watch = asyncio.create_task(_watch(self._receive, self))
            self._receive = None
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._open = False
        if self._watch is not None:
            self._watch.cancel()
            # It keeps this turn until it has ended, so that both would wait for the collector.
            self._watch = None
        self._turns.over(self)
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError:
            raise self._cause from None


async def _watch(receive: Receive, turn: ActiveRequest) -> None:
    """End `turn` when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    turn.end(ClientGoneError)


class ActiveRequests:
    """All turns of a process, for their limits and its drain."""

    def __init__(self) -> None:
        self._running: set[ActiveRequest] = set()
        self._sockets: set[Callable[[], None]] = set()
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._idle = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def draining(self) -> bool:
        """Whether the process is going down."""
        return self._begun.is_set()

    @property
    def running(self) -> int:
        """How many turns run now."""
        return len(self._running)

    def turn(self, seconds: float, *, promised: bool = False, receive: Receive | None = None) -> ActiveRequest:
        """One turn of at most `seconds`. DeadlineError; DrainingError when no new turn may begin, or at the end.

        `promised`: an open socket took the question before the drain, so that it may still begin. With a request's
        `receive`, ClientGoneError when its client has gone.
        """
        return ActiveRequest(self, seconds, promised, receive)

    def check(self, *, promised: bool) -> None:
        """DrainingError when no turn may begin."""
        if self._over.is_set() or (self.draining and not promised):
            raise DrainingError

    def begun(self, turn: ActiveRequest) -> None:
        """A turn runs."""
        self._running.add(turn)
        if self._timer is None or turn.until < self._timer.when():
            self._look_at(turn.until)

    def over(self, turn: ActiveRequest) -> None:
        """A turn runs no longer."""
        self._running.discard(turn)
        self._settle()

    @contextmanager
    def socket(self, drain: Callable[[], None]) -> Iterator[None]:
        """A socket's life. A drain calls `drain` when it begins, and waits for the socket to end."""
        self._sockets.add(drain)
        if self.draining:
            drain()
        try:
            yield
        finally:
            self._sockets.discard(drain)
            self._settle()

    def drain(self) -> None:
        """Take no new turns; those that run, or that a socket has promised, may end."""
        if not self.draining:
            self._begun.set()
            for drain in self._sockets:
                drain()
        self._settle()

    def cut(self) -> None:
        """Take no new turns and end those that run."""
        self.drain()
        self._over.set()
        for turn in self._running:
            turn.end(DrainingError)

    async def drained(self, limit: float) -> None:
        """Wait for the drain to begin, then up to `limit` seconds for the last turn's and socket's end, or a cut."""
        await self._begun.wait()
        await _within(limit, self._over)

    async def ended(self, limit: float) -> None:
        """Wait up to `limit` seconds until turns that were cut, and their sockets, have said their last word."""
        await _within(limit, self._idle)

    def _look_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._look)

    def _look(self) -> None:
        """End what has taken too long."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        for turn in self._running:
            if turn.until <= now:
                turn.end(DeadlineError)
        if left := [turn.until for turn in self._running if turn.until > now]:
            self._look_at(max(min(left), now + _LATE))

    def _settle(self) -> None:
        if self.draining and not self._running and not self._sockets:
            self._over.set()
            self._idle.set()


async def _within(limit: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await event.wait()
