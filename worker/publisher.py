"""Publishes one answer's text while it grows: one append in flight, and what comes meanwhile goes into the next."""

import asyncio
from types import TracebackType

import msgspec

from wire.messages import Delta, Replace
from wire.sessions import Sessions, Task
from worker.deltas import Deltas
from worker.patience import patiently


class Publisher:
    """An async context manager around one job's answer.

    While Redis is away it tries again with the same event (a repeat is harmless), for `patience` seconds.
    """

    def __init__(self, sessions: Sessions, task: Task, patience: float) -> None:
        self._sessions = sessions
        self._task = task
        self._patience = patience
        self._deltas = Deltas()
        self.seq = 0
        # Who answers; clients are told with the first event.
        self.provider = ""
        self._text = ""
        self._grown = asyncio.Event()
        self._in_flight = asyncio.Lock()
        self._appender: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Publisher":
        self._appender = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._appender is not None:
            self._appender.cancel()
            await asyncio.gather(self._appender, return_exceptions=True)

    @property
    def sent(self) -> str:
        """The text that clients have been sent."""
        return self._deltas.sent

    @property
    def begun(self) -> bool:
        """Whether any text has come."""
        return bool(self._text)

    def show(self, text: str) -> None:
        """The upstream's whole text so far. Raises what ended the appending, such as LeaseLostError."""
        self._raise_failure()
        self._text = text
        self._grown.set()

    async def end(self, text: str | None = None) -> None:
        """Publish the rest of the whole final text, or of what came before the answer broke off. Raises as `show`."""
        async with self._in_flight:
            self._raise_failure()
            event = self._deltas.end(self._text if text is None else text)
            if event is not None:
                await self._append(event)
            self._grown.clear()

    def _raise_failure(self) -> None:
        if self._appender is not None and self._appender.done():
            self._appender.result()

    async def _run(self) -> None:
        while True:
            await self._grown.wait()
            async with self._in_flight:
                if not self._grown.is_set():
                    continue
                self._grown.clear()
                event = self._deltas.grow(self._text)
                if event is not None:
                    await self._append(event)

    async def _append(self, event: Delta | Replace) -> None:
        if not self.seq:
            event = msgspec.structs.replace(event, provider=self.provider)
        until = asyncio.get_running_loop().time() + self._patience
        await patiently(lambda: self._sessions.append(self._task, self.seq + 1, event), until)
        self.seq += 1
