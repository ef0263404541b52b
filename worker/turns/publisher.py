"""Publish one answer's text while it grows: one append in flight, later text goes into the next one."""

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

    While Redis is away it repeats the same event for `retry_for` seconds; a repeat is harmless.
    """

    def __init__(self, sessions: Sessions, job: ClaimedJob, retry_for: float) -> None:
        self._sessions = sessions
        self._job = job
        self._retry_for = retry_for
        self._deltas = DeltaBuilder()
        self.seq = 0
        # The provider that answers; clients get its name with the first event.
        self.provider = ""
        self._text = ""
        # The text that the last event was made from.
        self._published = ""
        self._append: asyncio.Future[None] | None = None
        self._error: BaseException | None = None

    async def __aenter__(self) -> "Publisher":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._published = self._text
        while self._append is not None:
            self._append.cancel()
            await asyncio.wait([self._append])

    @property
    def published_text(self) -> str:
        """The text that clients have been sent."""
        return self._deltas.text

    @property
    def has_text(self) -> bool:
        """Whether the upstream has sent any text."""
        return bool(self._text)

    def update(self, text: str) -> None:
        """Publish the upstream's whole text so far. Raises the error of an earlier append, such as LeaseLostError."""
        if self._error is not None:
            raise self._error
        self._text = text
        if self._append is None:
            self._publish()

    async def finish(self, text: str | None = None) -> None:
        """Publish the rest of the final text, by default of the text so far. Raises as `update`."""
        self._published = self._text = self._text if text is None else text
        await self._flush()
        event = self._deltas.finish(self._text)
        if event is not None:
            self._start_append(event)
            await self._flush()

    async def _flush(self) -> None:
        while self._append is not None:
            await asyncio.wait([self._append])
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _publish(self) -> None:
        self._published = self._text
        event = self._deltas.update(self._text)
        if event is not None:
            self._start_append(event)

    def _start_append(self, event: Delta | Replace) -> None:
        """Start an append. Its callback continues, since a waiting task per append would cost more than the append."""
        if not self.seq:
            event = msgspec.structs.replace(event, provider=self.provider)
        until = asyncio.get_running_loop().time() + self._retry_for
        self._append = self._send(event)
        self._append.add_done_callback(partial(self._on_reply, event, until))

    def _send(self, event: Delta | Replace) -> asyncio.Future[None]:
        return self._sessions.append(self._job, self.seq + 1, event)

    def _on_reply(self, event: Delta | Replace, until: float, append: asyncio.Future[None]) -> None:
        if not append.cancelled() and isinstance(append.exception(), StoreUnavailableError):
            self._append = asyncio.create_task(self._retry(event, until, append))
            self._append.add_done_callback(self._on_end)
        else:
            self._on_end(append)

    async def _retry(self, event: Delta | Replace, until: float, failed: asyncio.Future[None]) -> None:
        """Repeat an append that found Redis away; its own error counts as the first try."""
        first = iter([failed])
        await retry_unavailable(lambda: next(first, None) or self._send(event), until)

    def _on_end(self, append: asyncio.Future[None]) -> None:
        self._append = None
        self._error = asyncio.CancelledError() if append.cancelled() else append.exception()
        if self._error is None:
            self.seq += 1
            if self._published is not self._text:
                self._publish()
