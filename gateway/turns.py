"""The turns that this gateway relays now, each with a limit and an end from outside; and its open sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog

from gateway.errors import DeadlineError, DrainingError, TurnEndedError

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


class Turn:
    """The time that one answer may take. The body gets DeadlineError after it, or whatever `end` was called with."""

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(seconds)
        self._cause: type[TurnEndedError] = DeadlineError
        self._open = False

    def end(self, cause: type[TurnEndedError]) -> None:
        """Stop waiting for the answer, for `cause`; nothing happens when it has ended already."""
        if self._open:
            self._open = False
            self._cause = cause
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def __aenter__(self) -> "Turn":
        await self._timeout.__aenter__()
        self._open = True
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._open = False
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError:
            raise self._cause from None


class Turns:
    """All turns of a process, for its drain."""

    def __init__(self) -> None:
        self._running: set[Turn] = set()
        self._sockets: set[Callable[[], None]] = set()
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._idle = asyncio.Event()

    @property
    def draining(self) -> bool:
        """Whether the process is going down."""
        return self._begun.is_set()

    @property
    def running(self) -> int:
        """How many turns run now."""
        return len(self._running)

    @asynccontextmanager
    async def turn(self, seconds: float, *, promised: bool = False) -> AsyncIterator[Turn]:
        """One turn of at most `seconds`. DeadlineError; DrainingError when no new turn may begin, or at the end.

        `promised`: an open socket took the question before the drain, so that it may still begin.
        """
        if self._over.is_set() or (self.draining and not promised):
            raise DrainingError
        turn = Turn(seconds)
        self._running.add(turn)
        try:
            async with turn:
                yield turn
        finally:
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

    def _settle(self) -> None:
        if self.draining and not self._running and not self._sockets:
            self._over.set()
            self._idle.set()


async def _within(limit: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await event.wait()
