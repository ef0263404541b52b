"""Publishes one answer's text while it grows: one append in flight, and what comes meanwhile goes into the next."""

import asyncio
from functools import partial
from types import TracebackType

import msgspec

from wire.errors import StoreUnavailableError
from wire.messages import Delta, Replace
from wire.redis.retry import retry_unavailable
from wire.sessions import ClaimedJob, Sessions
from worker.turns.deltas import DeltaBuilder


class Publisher:
    """An async context manager around one job's answer.

    While Redis is away it tries again with the same event (a repeat is harmless), for `patience` seconds.
    """

    def __init__(self, sessions: Sessions, task: ClaimedJob, patience: float) -> None:
        self._sessions = sessions
        self._task = task
        self._patience = patience
        self._deltas = DeltaBuilder()
        self.seq = 0
        # Who answers; clients are told with the first event.
        self.provider = ""
        self._text = ""
        # The text that the last event was made from.
        self._told = ""
        self._appending: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None

    async def __aenter__(self) -> "Publisher":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._told = self._text
        while self._appending is not None:
            self._appending.cancel()
            await asyncio.wait([self._appending])

    @property
    def published_text(self) -> str:
        """The text that clients have been sent."""
        return self._deltas.text

    @property
    def has_text(self) -> bool:
        """Whether any text has come."""
        return bool(self._text)

    def update(self, text: str) -> None:
        """The upstream's whole text so far. Raises what ended the appending, such as LeaseLostError."""
        if self._failure is not None:
            raise self._failure
        self._text = text
        if self._appending is None:
            self._tell()

    async def finish(self, text: str | None = None) -> None:
        """Publish the rest of the whole final text, or of what came before the answer broke off. Raises as `show`."""
        self._told = self._text = self._text if text is None else text
        await self._appended()
        event = self._deltas.finish(self._text)
        if event is not None:
            self._append(event)
            await self._appended()

    async def _appended(self) -> None:
        while self._appending is not None:
            await asyncio.wait([self._appending])
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _tell(self) -> None:
        self._told = self._text
        event = self._deltas.update(self._text)
        if event is not None:
            self._append(event)

    def _append(self, event: Delta | Replace) -> None:
        """Begin to append. No task of ours waits for it: what follows is done when it is."""
        if not self.seq:
            event = msgspec.structs.replace(event, provider=self.provider)
        until = asyncio.get_running_loop().time() + self._patience
        self._appending = self._call(event)
        self._appending.add_done_callback(partial(self._tried, event, until))

    def _call(self, event: Delta | Replace) -> asyncio.Future[None]:
        return self._sessions.append(self._task, self.seq + 1, event)

    def _tried(self, event: Delta | Replace, until: float, appending: asyncio.Future[None]) -> None:
        if not appending.cancelled() and isinstance(appending.exception(), StoreUnavailableError):
            self._appending = asyncio.create_task(self._again(event, until, appending))
            self._appending.add_done_callback(self._ended)
        else:
            self._ended(appending)

    async def _again(self, event: Delta | Replace, until: float, failed: asyncio.Future[None]) -> None:
        """Go on with an append that found Redis away."""
        first = iter([failed])
        await retry_unavailable(lambda: next(first, None) or self._call(event), until)

    def _ended(self, appending: asyncio.Future[None]) -> None:
        self._appending = None
        self._failure = asyncio.CancelledError() if appending.cancelled() else appending.exception()
        if self._failure is None:
            self.seq += 1
            if self._told is not self._text:
                self._tell()
