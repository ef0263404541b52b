"""A transport without a network: what is written is kept, and the test is the other side."""

import asyncio
from typing import Any


class SilentTransport(asyncio.Transport):
    """Connects a protocol to nothing; `lose` ends the connection, as an abort does in the loop's next turn."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = b""
        self.is_paused = False
        self.is_lost = self._is_closing = False
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self._is_closing

    def abort(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self.lose)

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def lose(self, error: Exception | None = None) -> None:
        """End the connection, by the server's end or an error, unless it has ended."""
        if not self.is_lost:
            self.is_lost = self._is_closing = True
            self.protocol.connection_lost(error)
