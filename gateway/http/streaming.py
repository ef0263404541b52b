"""uvicorn's protocols, with less to keep for each open connection.

What uvicorn has deques for is nearly always empty here, and an empty deque takes 0.6 kB.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol


class HttpProtocol(HttpToolsProtocol):
    """A connection with requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pipeline = cast(Any, _Requests())

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self.flow._is_writable_event = _Event(value=True)

    def on_headers_complete(self) -> None:
        """See uvicorn: a request begins, whose task hasn't run yet; or a socket, which is none."""
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.message_event = _Event(value=False)

    def handle_websocket_upgrade(self) -> None:
        """See uvicorn: another protocol takes over."""
        super().handle_websocket_upgrade()
        # They keep each other, so that they would stay, open socket or not, until the collector comes.
        self.parser = cast(Any, None)


class SocketProtocol(WSProtocol):
    """A connection that has become a WebSocket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = cast(Any, _Messages())
        self.writable = _Event(value=True)


class _Requests(list[Any]):
    """As much of a deque as uvicorn uses for requests that come while another one is answered."""

    def appendleft(self, request: Any) -> None:
        self.insert(0, request)


class _Messages:
    """As much of an asyncio.Queue as uvicorn uses for what a client sent: one task reads."""

    __slots__ = ("_came", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[Any] = []
        self._came = _Event(value=False)

    def put_nowait(self, message: Any) -> None:
        self._waiting.append(message)
        self._came.set()

    async def get(self) -> Any:
        while not self._waiting:
            self._came.clear()
            await self._came.wait()
        return self._waiting.pop(0)

    def empty(self) -> bool:
        return not self._waiting


class _Event(asyncio.Event):
    """With a list for who waits, of whom there is hardly ever more than one."""

    def __init__(self, *, value: bool) -> None:
        self._waiters = cast(Any, [])
        self._value = value
