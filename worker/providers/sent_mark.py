"""The SENT mark of a question that goes out by httpx."""

from typing import Any

from worker.providers import BeforeSend

_LEAVES = "http11.send_request_headers.started"


class SendHook:
    """Awaits `before_send` once: when the first request's connection stands, before anything is written to it.

    Goes into a request as `extensions={"trace": mark.trace}`. What `before_send` raises is kept as `veto` and goes
    through as it is; nothing is sent then.
    """

    def __init__(self, before_send: BeforeSend) -> None:
        self._before_send = before_send
        self._set = False
        self.veto: Exception | None = None

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        """What httpx calls at each step of a request."""
        if event == _LEAVES and not self._set:
            self._set = True
            try:
                await self._before_send()
            except Exception as error:
                self.veto = error
                raise
