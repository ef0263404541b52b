"""Set the SENT mark of a question that is sent over HTTP."""

from typing import Any

from worker.providers import BeforeSend

_BEFORE_WRITING = "http11.send_request_headers.started"


class SendHook:
    """Awaits `before_send` once: when the first request has a connection, before it is written.

    Whoever sends calls `mark` there; a request of httpx takes it as `extensions={"trace": hook.trace}`. An exception of
    `before_send` is kept as `veto` and raised unchanged; nothing is sent then.
    """

    def __init__(self, before_send: BeforeSend) -> None:
        self._before_send = before_send
        self._set = False
        self.veto: Exception | None = None

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        """Handle one step of a request; httpx calls this."""
        if event == _BEFORE_WRITING:
            await self.mark()

    async def mark(self) -> None:
        """Set the mark, unless it is set."""
        if not self._set:
            self._set = True
            try:
                await self._before_send()
            except Exception as error:
                self.veto = error
                raise
