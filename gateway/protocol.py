"""uvicorn's HTTP protocol, with less to keep for each open connection."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Protocol(HttpToolsProtocol):
    """One connection. What uvicorn keeps deques for is nearly always empty here, and an empty one takes 0.6 kB."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pipeline = cast(Any, _Requests())

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self.flow._is_writable_event = _Event(value=True)

    def on_headers_complete(self) -> None:
        """See uvicorn: a request begins, whose task hasn't run yet."""
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.message_event = _Event(value=self.cycle.message_event.is_set())

    def handle_websocket_upgrade(self) -> None:
        """See uvicorn: another protocol takes over."""
        super().handle_websocket_upgrade()
        # They keep each other, so that they would stay, open socket or not, until the collector comes.
        self.parser = cast(Any, None)


class _Requests(list[Any]):
    """As much of a deque as uvicorn uses for requests that came while another one was answered."""

    def appendleft(self, request: Any) -> None:
        self.insert(0, request)


class _Event(asyncio.Event):
    """With a list for who waits, of whom there is one at a time."""

    def __init__(self, *, value: bool) -> None:
        self._waiters = cast(Any, [])
        self._value = value
