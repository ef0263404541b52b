"""Set the SENT mark of a question that is sent with httpx."""

from typing import Any

from worker.providers import BeforeSend

_BEFORE_WRITING = "http11.send_request_headers.started"


class SendHook:
    """A trace hook that awaits `before_send` once: after the first request has connected, before it is written.

    Pass it to a request as `extensions={"trace": hook.trace}`. An exception of `before_send` is kept as `veto` and
    raised unchanged; nothing is sent then.
    """

    def __init__(self, before_send: BeforeSend) -> None:
        self._before_send = before_send
        self._set = False
        self.veto: Exception | None = None

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        """Handle one step of a request; httpx calls this."""
        if event == _BEFORE_WRITING and not self._set:
            self._set = True
            try:
                await self._before_send()
            except Exception as error:
                self.veto = error
                raise
