"""A response of server-sent events."""

from collections.abc import Mapping

from aiohttp import web

from emulator.sse_layout import SseLayout


class EventWriter:
    """The response, which begins with the first events that are written. headers: beside the usual ones."""

    def __init__(self, request: web.Request, layout: SseLayout, headers: Mapping[str, str]) -> None:
        self._request = request
        self._layout = layout
        self._headers = headers
        self._response: web.StreamResponse | None = None
        self._waiting: list[str] = []

    async def send(self, text: str) -> None:
        """Send text of the stream as soon as there is enough for a write."""
        self.add(text)
        if len(self._waiting) >= self._layout.batch:
            await self.flush()

    def add(self, text: str) -> None:
        """Let text of the stream wait for the next write."""
        self._waiting.append(text)

    async def flush_waiting(self) -> None:
        """Send what waits for a full write, if anything does."""
        if self._waiting:
            await self.flush()

    async def flush(self) -> web.StreamResponse:
        """Send what waits for a full write, and return the response."""
        if self._response is None:
            self._response = await self._begin()
        waiting, self._waiting = self._waiting, []
        for data in self._layout.writes(waiting):
            await self._response.write(data)
        return self._response

    async def end(self) -> web.StreamResponse:
        """Send what waits, end the response and return it."""
        response = await self.flush()
        await response.write_eof()
        return response

    async def _begin(self) -> web.StreamResponse:
        usual = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
        response = web.StreamResponse(headers={**usual, **self._headers})
        await response.prepare(self._request)
        return response
